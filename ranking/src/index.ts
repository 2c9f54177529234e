export * from './features.js'
export * from './stats.js'
export * from './text.js'
export * from './types.js'
