import { listQuery, order, page } from '@endcap/contracts'
import { type App, cursorsOf, scopes } from '@endcap/platform/http'
import { pageOf } from '@endcap/storage/http'
import { z } from 'zod'
import type { OrdersDeps } from '../../deps.js'
import { orderAnswer } from '../../domain/order.js'
import { listOrders } from '../../store/orders.js'

/** The last order of a page: when it was taken (UTC, milliseconds) and its id. */
const cursors = cursorsOf('orders', z.tuple([z.iso.datetime({ precision: 3 }), z.string().max(128)]))

export function getOrders(app: App, deps: OrdersDeps): void {
  app.get(
    '/v1/orders',
    {
      config: { access: scopes('orders') },
      schema: {
        summary: 'Orders, newest first',
        tags: ['orders'],
        querystring: listQuery,
        response: { 200: page(order) },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query
      const after = cursors.decode(cursor)
      // One more than asked for tells whether another page follows.
      const found = await listOrders(
        deps.postgres,
        limit + 1,
        after && { createdAt: new Date(after[0]), id: after[1] },
      )
      return pageOf(found, limit, orderAnswer, (last) =>
        cursors.encode([last.createdAt.toISOString(), last.id]),
      )
    },
  )
}
