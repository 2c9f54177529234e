import { campaign } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import { notFound } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { findCampaign } from '../../store/campaigns.js'
import { idParams } from '../id-params.js'
import { presentCampaign } from '../present-campaigns.js'

export function getCampaign(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/campaigns/:id',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: 'One campaign',
        tags: ['campaigns'],
        params: idParams,
        response: { 200: campaign },
      },
    },
    async ({ caller, params }) => {
      const found = await findCampaign(deps.postgres, params.id)
      if (!found || !caller.mayActFor(found.merchantId)) throw notFound('campaign')
      return presentCampaign(deps.postgres, found, deps.clock())
    },
  )
}
