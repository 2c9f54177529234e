export * from './domain/controller.js'
export * from './domain/day-plan.js'
export * from './domain/traffic-curve.js'
export { createPacing } from './pacing.js'
