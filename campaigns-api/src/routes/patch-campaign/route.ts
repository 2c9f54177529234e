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
          'Change a campaign: a field that is given is replaced whole; of budget and targeting, what is not named stays',
        description:
          'A field that is left out stays. Of `budget` each limit and of `targeting` each field (`keywords`, `categories`, `locations`, `items`, `devices`, `listingRadiusKm`) is one by itself: who sets one changes no other; null removes it. Lists are replaced whole.',
        tags: ['campaigns'],
        params: idParams,
        body: patchCampaignBody,
        response: { 200: campaign },
      },
    },
    ({ caller, params, body }) => changeCampaign(deps, caller, params.id, body),
  )
}
