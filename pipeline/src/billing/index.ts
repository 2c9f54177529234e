export { createBilling } from './billing.js'
export { createTicks } from './ticks.js'
