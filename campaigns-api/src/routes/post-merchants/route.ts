import { createMerchantBody, merchant } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { createOnce } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { createMerchant } from './handler.js'

export function postMerchants(app: App, deps: CampaignsApiDeps): void {
  app.post(
    '/v1/merchants',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: 'Create a merchant',
        tags: ['merchants'],
        body: createMerchantBody,
        response: { 201: merchant },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await createOnce(deps, request, (tx) => createMerchant(tx, deps, request.body))),
  )
}
