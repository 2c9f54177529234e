import { createRefundBody, refund } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { createOnce } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { idParams } from '../id-params.js'
import { createRefund } from './handler.js'

export function postRefunds(app: App, deps: CampaignsApiDeps): void {
  app.post(
    '/v1/merchants/:id/refunds',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: "Pay money back out of a merchant's wallet; never more than it holds",
        tags: ['wallet'],
        params: idParams,
        body: createRefundBody,
        response: { 201: refund },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const answer = await createOnce(deps, request, (tx) => createRefund(tx, deps, id, request.body))
      return reply.code(201).send(answer)
    },
  )
}
