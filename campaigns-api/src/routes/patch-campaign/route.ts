import { campaign, patchCampaignBody } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { idParams } from '../id-params.js'
import { changeCampaign } from './handler.js'

export function patchCampaign(app: App, deps: CampaignsApiDeps): void {
  app.patch(
    '/v1/campaigns/:id',
    {
      config: {
        access: merchantAccess(),
        answers: {
          409: { description: 'The campaign is archived', contentType: 'application/problem+json' },
        },
      },
      schema: {
        summary:
          'Change a campaign: a field that is given is replaced whole; limits of the budget that are not named stay, null removes one',
        tags: ['campaigns'],
        params: idParams,
        body: patchCampaignBody,
        response: { 200: campaign },
      },
    },
    ({ caller, params, body }) => changeCampaign(deps, caller, params.id, body),
  )
}
