export { startTracing, type Tracing } from './start-tracing.js'
export * from './trace-context.js'
