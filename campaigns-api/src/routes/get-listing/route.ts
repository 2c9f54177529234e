import { listing } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import { notFound } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { listingAnswer } from '../../domain/listing.js'
import { findListing } from '../../store/listings.js'
import { idParams } from '../id-params.js'

export function getListing(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/listings/:id',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: 'One listing',
        tags: ['listings'],
        params: idParams,
        response: { 200: listing },
      },
    },
    async ({ caller, params }) => {
      const found = await findListing(deps.postgres, params.id)
      if (!found || !caller.mayActFor(found.merchantId)) throw notFound('listing')
      return listingAnswer(found)
    },
  )
}
