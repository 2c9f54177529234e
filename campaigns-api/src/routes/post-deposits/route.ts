import { createDepositBody, deposit } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { createOnce } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { idParams } from '../id-params.js'
import { createDeposit } from './handler.js'

export function postDeposits(app: App, deps: CampaignsApiDeps): void {
  app.post(
    '/v1/merchants/:id/deposits',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: "Put money into a merchant's wallet",
        tags: ['wallet'],
        params: idParams,
        body: createDepositBody,
        response: { 201: deposit },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const answer = await createOnce(deps, request, (tx) => createDeposit(tx, deps, id, request.body))
      return reply.code(201).send(answer)
    },
  )
}
