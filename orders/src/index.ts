export { createOrders } from './create-orders.js'
