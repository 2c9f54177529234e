import { campaignBudget } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import { notFound } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { budgetAnswer } from '../../domain/budget.js'
import { notServingReason } from '../../domain/campaign.js'
import { findAds, findCampaign } from '../../store/campaigns.js'
import { findOverDelivery } from '../../store/pacing.js'
import { idParams } from '../id-params.js'
import { positionsOf } from '../positions-of.js'

export function getCampaignBudget(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/campaigns/:id/budget',
    {
      config: { access: merchantAccess() },
      schema: {
        summary:
          'What a campaign has spent and may still spend, its forecast for the day, and how it is paced',
        tags: ['campaigns'],
        params: idParams,
        response: { 200: campaignBudget },
      },
    },
    async ({ caller, params }) => {
      const { postgres } = deps
      const campaign = await findCampaign(postgres, params.id)
      if (!campaign || !caller.mayActFor(campaign.merchantId)) throw notFound('campaign')
      const nowMs = deps.clock()
      const [position] = await positionsOf(postgres, [campaign], nowMs)
      const ads = await findAds(postgres, [campaign.id])
      return budgetAnswer(campaign, {
        ...position!,
        overDelivery: await findOverDelivery(postgres, campaign.id, position!.day),
        notServing: notServingReason(campaign, ads.get(campaign.id)!, position!.means, nowMs),
      })
    },
  )
}
