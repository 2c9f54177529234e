import { callerId, formatMoney, listQuery, merchantClawback, page } from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchant } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { listClawbacks } from '../../store/clawbacks.js'
import { idParams } from '../id-params.js'

export function getClawbacks(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id/clawbacks',
    {
      config: { access: merchantAccess() },
      schema: {
        summary:
          "The clawbacks that gave charges back to a merchant, newest first, each with the merchant's part",
        tags: ['wallet'],
        params: idParams,
        querystring: listQuery,
        response: { 200: page(merchantClawback) },
      },
    },
    async ({ caller, params, query }) => {
      const { id: merchantId } = await visibleMerchant(deps.postgres, caller, params.id)
      const cursors = cursorsOf(`clawbacks of ${merchantId}`, callerId)
      const after = cursors.decode(query.cursor)
      const rows = await listClawbacks(deps.postgres, { merchantId, after, limit: query.limit + 1 })
      return pageOf(
        rows,
        query.limit,
        ({ amountMicros, createdAt, ...row }) => ({
          ...row,
          amount: formatMoney(amountMicros),
          createdAt: createdAt.toISOString(),
        }),
        (last) => cursors.encode(last.id),
      )
    },
  )
}
