export { createOrders } from './create-orders.js'
export type { OrdersDeps } from './deps.js'
