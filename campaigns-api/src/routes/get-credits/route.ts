import { callerId, credit, formatMoney, listQuery, page } from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchant } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { listCredits } from '../../store/wallets.js'
import { idParams } from '../id-params.js'

export function getCredits(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id/credits',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: "A merchant's goodwill credits, newest first",
        tags: ['wallet'],
        params: idParams,
        querystring: listQuery,
        response: { 200: page(credit.omit({ balance: true })) },
      },
    },
    async ({ caller, params, query }) => {
      const { id: merchantId } = await visibleMerchant(deps.postgres, caller, params.id)
      const cursors = cursorsOf(`credits of ${merchantId}`, callerId)
      const after = cursors.decode(query.cursor)
      const rows = await listCredits(deps.postgres, { merchantId, after, limit: query.limit + 1 })
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
