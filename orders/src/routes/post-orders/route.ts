import { order } from '@endcap/contracts'
import { type App, bodyHash, idempotencyKeyOf, idempotencyScopeOf, scopes } from '@endcap/platform/http'
import { counterOf } from '@endcap/platform/metrics'
import type { Transaction } from '@endcap/platform/postgres'
import { withIdempotency } from '@endcap/storage/postgres'
import type { OrdersDeps } from '../../deps.js'
import { takeOrder } from './handler.js'
import { postOrdersSchema } from './schema.js'

export function postOrders(app: App, deps: OrdersDeps): void {
  const taken = counterOf(deps.registry, {
    name: 'endcap_orders_total',
    help: 'Orders taken, and calls that repeated one',
    labelNames: ['result'],
  })
  app.post(
    '/v1/orders',
    { config: { access: scopes('orders') }, schema: postOrdersSchema },
    async (request, reply) => {
      const { body } = request
      const key = idempotencyKeyOf(request)
      const work = (tx: Transaction) => takeOrder(tx, deps, body)
      const answer =
        key === undefined
          ? { ...(await deps.postgres.transaction(work)), replayed: false }
          : await withIdempotency(
              deps,
              { scope: idempotencyScopeOf(request), key, bodyHash: bodyHash(body) },
              work,
            )
      const status = answer.status === 200 ? 200 : 201
      taken.inc({ result: answer.replayed || status === 200 ? 'repeated' : 'taken' })
      // A stored answer comes back from the database as plain JSON.
      return reply.code(status).send(order.parse(answer.response))
    },
  )
}
