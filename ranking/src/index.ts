export * from './features.js'
export {
  FACT_ROW,
  type FactPage,
  factPage,
  forgetFacts,
  layDownFacts,
  smoothedRate,
} from './listing-facts.js'
export * from './model-metadata.js'
export * from './predictor.js'
export * from './predictor-host.js'
export * from './stats.js'
export * from './text.js'
export * from './types.js'
