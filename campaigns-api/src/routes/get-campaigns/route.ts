import { CAMPAIGN_STATUSES, callerId, campaign, listQuery, page } from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchantIds } from '@endcap/storage/http'
import { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { listCampaigns } from '../../store/campaigns.js'
import { presentCampaigns } from '../present-campaigns.js'

const querystring = listQuery.extend({
  merchantId: callerId.optional(),
  status: z.enum(CAMPAIGN_STATUSES).optional(),
})

const cursors = cursorsOf('campaigns', callerId)

export function getCampaigns(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/campaigns',
    {
      config: {
        access: merchantAccess(),
        answers: { 404: { description: 'No such merchant', contentType: 'application/problem+json' } },
      },
      schema: {
        summary: "List campaigns, newest first, each with today's spend and why it is not serving",
        tags: ['campaigns'],
        querystring,
        response: { 200: page(campaign) },
      },
    },
    async ({ caller, query }) => {
      const rows = await listCampaigns(deps.postgres, {
        merchantIds: visibleMerchantIds(caller, query.merchantId),
        status: query.status,
        after: cursors.decode(query.cursor),
        limit: query.limit + 1,
      })
      const { items, nextCursor } = pageOf(
        rows,
        query.limit,
        (row) => row,
        (last) => cursors.encode(last.id),
      )
      return { items: [...(await presentCampaigns(deps.postgres, items, deps.clock()))], nextCursor }
    },
  )
}
