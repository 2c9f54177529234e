import { callerId, EndcapError, order } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { z } from 'zod'
import type { OrdersDeps } from '../../deps.js'
import { orderAnswer } from '../../domain/order.js'
import { findOrder } from '../../store/orders.js'

export function getOrder(app: App, deps: OrdersDeps): void {
  app.get(
    '/v1/orders/:id',
    {
      config: { access: scopes('orders') },
      schema: {
        summary: 'One order, as it was placed',
        tags: ['orders'],
        params: z.strictObject({ id: callerId }),
        response: { 200: order },
      },
    },
    async (request) => {
      const found = await findOrder(deps.postgres, request.params.id)
      if (!found) throw new EndcapError('not_found', 'There is no order of this id.')
      return orderAnswer(found.order)
    },
  )
}
