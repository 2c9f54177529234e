import { bidLandscapeAnswer, bidLandscapeQuery } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import { notFound } from '@endcap/storage/http'
import { findMerchant } from '@endcap/storage/postgres'
import type { CampaignsApiDeps } from '../../deps.js'
import { LANDSCAPE_RULES } from '../../domain/landscape.js'
import { findCampaign } from '../../store/campaigns.js'
import { idParams } from '../id-params.js'
import { estimateLandscape } from './handler.js'

const { minAuctionsADay, mostAuctionsADay, settledAfterHours, monthsBack } = LANDSCAPE_RULES
const DESCRIPTION =
  `So that no answer, and no difference of two, tells what somebody else bid, only whole UTC days count that ended at least ${settledAfterHours} hour ago and ` +
  `hold at least ${minAuctionsADay} auctions of the campaign that can be run again, within the last ${monthsBack} months; at most ${mostAuctionsADay} auctions of each are run. ` +
  'Without such a day the answer holds zeros and nulls; `auctions.leftOut` says how many auctions were left out. Operators are told of all auctions.'

export function getBidLandscape(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/campaigns/:id/bid-landscape',
    {
      config: { access: merchantAccess('reports') },
      schema: {
        summary: 'What a campaign would have won at other bids, estimated from the auction log',
        description: DESCRIPTION,
        tags: ['reports'],
        params: idParams,
        querystring: bidLandscapeQuery,
        response: { 200: bidLandscapeAnswer },
      },
    },
    async ({ caller, params, query }) => {
      const campaign = await findCampaign(deps.postgres, params.id)
      const mayRead = caller.scopes.includes('reports') || caller.mayActFor(campaign?.merchantId ?? '')
      if (!campaign || !mayRead) throw notFound('campaign')
      const merchant = (await findMerchant(deps.postgres, campaign.merchantId))!
      return estimateLandscape(deps, {
        campaign,
        currency: merchant.currency,
        forOperator: caller.isOperator,
        ...query,
      })
    },
  )
}
