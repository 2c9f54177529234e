import { campaign, campaignActionBody } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import type { CampaignsApiDeps } from '../../deps.js'
import type { CampaignAction } from '../../domain/campaign.js'
import { idParams } from '../id-params.js'
import { actOnCampaign } from './handler.js'

const SUMMARIES: Readonly<Record<CampaignAction, string>> = {
  activate: 'Start or resume a campaign',
  pause: 'Pause an active campaign',
  archive: 'Archive a campaign, for good',
}

export function postCampaignAction(action: CampaignAction) {
  return function route(app: App, deps: CampaignsApiDeps): void {
    app.post(
      `/v1/campaigns/:id/${action}`,
      {
        config: {
          access: merchantAccess(),
          answers: {
            409: {
              description: 'The campaign is archived, or a draft that is to be paused',
              contentType: 'application/problem+json',
            },
          },
        },
        schema: {
          summary: SUMMARIES[action],
          tags: ['campaigns'],
          params: idParams,
          body: campaignActionBody,
          response: { 200: campaign },
        },
      },
      ({ caller, params }) => actOnCampaign(deps, caller, params.id, action),
    )
  }
}
