import { createCreditBody, credit } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { createOnce } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { idParams } from '../id-params.js'
import { createCredit } from './handler.js'

export function postCredits(app: App, deps: CampaignsApiDeps): void {
  app.post(
    '/v1/merchants/:id/credits',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: 'Give a merchant goodwill credit, with the reason',
        tags: ['wallet'],
        params: idParams,
        body: createCreditBody,
        response: { 201: credit },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const answer = await createOnce(deps, request, (tx) => createCredit(tx, deps, id, request.body))
      return reply.code(201).send(answer)
    },
  )
}
