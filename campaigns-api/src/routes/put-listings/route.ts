import { putListingsAnswer, putListingsBody } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { putListings } from './handler.js'

export function putListingsRoute(app: App, deps: CampaignsApiDeps): void {
  app.put(
    '/v1/listings',
    {
      config: { access: merchantAccess(), itemwise: true },
      schema: {
        summary: 'Create and replace listings, each item for itself',
        tags: ['listings'],
        body: putListingsBody,
        response: { 200: putListingsAnswer },
      },
    },
    async ({ caller, body }) => {
      const results = await putListings(deps, caller, body.items)
      return {
        results: results.map((result) =>
          'errors' in result ? { ...result, errors: [...result.errors] } : result,
        ),
      }
    },
  )
}
