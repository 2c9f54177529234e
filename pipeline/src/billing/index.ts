export { BILLING_CONSUMER, type BillRecordsDeps } from './bill-records.js'
export { type BillingDeps, createBilling } from './billing.js'
export { createTicks, type TicksDeps } from './ticks.js'
