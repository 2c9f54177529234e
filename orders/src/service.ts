import type { ServiceDescriptor } from '@endcap/platform/lifecycle'
import type { OrdersDeps } from './deps.js'

export const ordersService = {
  name: 'orders',
  tcpPort: 8082,
  roles: [{ name: 'orders', needs: ['postgres', 'identityKey'] }],
  create: async (deps: OrdersDeps) => (await import('./create-orders.js')).createOrders(deps),
} as const satisfies ServiceDescriptor
