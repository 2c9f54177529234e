import type { App } from '@endcap/platform/http'
import type { Service } from '@endcap/platform/lifecycle'
import type { OrdersDeps } from './deps.js'
import { getOrder } from './routes/get-order/route.js'
import { getOrders } from './routes/get-orders/route.js'
import { postOrders } from './routes/post-orders/route.js'

const ROUTES: readonly ((app: App, deps: OrdersDeps) => void)[] = [postOrders, getOrders, getOrder]

/**
 * Orders over HTTP: taken once, kept as they were, told to the event log in the same transaction. Nothing runs in the
 * background.
 */
export const createOrders = (deps: OrdersDeps): Service => ({
  routes: (app) => {
    for (const route of ROUTES) route(app, deps)
  },
  components: [],
})
