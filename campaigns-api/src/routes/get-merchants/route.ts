import { callerId, listQuery, merchant, page } from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchantIds } from '@endcap/storage/http'
import { listMerchants } from '@endcap/storage/postgres'
import type { CampaignsApiDeps } from '../../deps.js'
import { merchantAnswer } from '../../domain/merchant.js'

const cursors = cursorsOf('merchants', callerId)

export function getMerchants(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: 'List merchants, newest first',
        tags: ['merchants'],
        querystring: listQuery,
        response: { 200: page(merchant) },
      },
    },
    async ({ caller, query }) => {
      const rows = await listMerchants(deps.postgres, {
        only: visibleMerchantIds(caller, undefined),
        after: cursors.decode(query.cursor),
        limit: query.limit + 1,
      })
      return pageOf(rows, query.limit, merchantAnswer, (last) => cursors.encode(last.id))
    },
  )
}
