import { callerId, formatMoney, listQuery, page, refund } from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchant } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { listRefunds } from '../../store/wallets.js'
import { idParams } from '../id-params.js'

export function getRefunds(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id/refunds',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: "What was paid back out of a merchant's wallet, newest first",
        tags: ['wallet'],
        params: idParams,
        querystring: listQuery,
        response: { 200: page(refund.omit({ balance: true })) },
      },
    },
    async ({ caller, params, query }) => {
      const { id: merchantId } = await visibleMerchant(deps.postgres, caller, params.id)
      const cursors = cursorsOf(`refunds of ${merchantId}`, callerId)
      const after = cursors.decode(query.cursor)
      const rows = await listRefunds(deps.postgres, { merchantId, after, limit: query.limit + 1 })
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
