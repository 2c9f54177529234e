import { campaign, createCampaignBody } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import { createOnce } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { createCampaign } from './handler.js'

export function postCampaigns(app: App, deps: CampaignsApiDeps): void {
  app.post(
    '/v1/campaigns',
    {
      config: {
        access: merchantAccess(),
        answers: { 404: { description: 'No such merchant', contentType: 'application/problem+json' } },
      },
      schema: {
        summary: 'Create a campaign, as a draft or active',
        tags: ['campaigns'],
        body: createCampaignBody,
        response: { 201: campaign },
      },
    },
    async (request, reply) => {
      const { caller, body } = request
      return reply
        .code(201)
        .send(await createOnce(deps, request, (tx) => createCampaign(tx, deps, caller, body)))
    },
  )
}
