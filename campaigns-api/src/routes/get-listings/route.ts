import { callerId, LISTING_STATUSES, listing, listQuery, page } from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchantIds } from '@endcap/storage/http'
import { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { listingAnswer } from '../../domain/listing.js'
import { listListings } from '../../store/listings.js'

const querystring = listQuery.extend({
  merchantId: callerId.optional(),
  status: z.enum(LISTING_STATUSES).optional(),
})

const cursors = cursorsOf('listings', z.tuple([callerId, callerId]))

export function getListings(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/listings',
    {
      config: {
        access: merchantAccess(),
        answers: { 404: { description: 'No such merchant', contentType: 'application/problem+json' } },
      },
      schema: {
        summary: 'List listings by merchant and id',
        tags: ['listings'],
        querystring,
        response: { 200: page(listing) },
      },
    },
    async ({ caller, query }) => {
      const rows = await listListings(deps.postgres, {
        merchantIds: visibleMerchantIds(caller, query.merchantId),
        status: query.status,
        after: cursors.decode(query.cursor),
        limit: query.limit + 1,
      })
      return pageOf(rows, query.limit, listingAnswer, (last) => cursors.encode([last.merchantId, last.id]))
    },
  )
}
