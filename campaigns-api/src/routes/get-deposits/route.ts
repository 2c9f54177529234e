import { callerId, deposit, listQuery, page } from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchant } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { depositAnswer } from '../../domain/deposit.js'
import { listDeposits } from '../../store/wallets.js'
import { idParams } from '../id-params.js'

export function getDeposits(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id/deposits',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: "A merchant's deposits, newest first",
        tags: ['wallet'],
        params: idParams,
        querystring: listQuery,
        response: { 200: page(deposit.omit({ balance: true })) },
      },
    },
    async ({ caller, params, query }) => {
      const { id: merchantId } = await visibleMerchant(deps.postgres, caller, params.id)
      const cursors = cursorsOf(`deposits of ${merchantId}`, callerId)
      const after = cursors.decode(query.cursor)
      const rows = await listDeposits(deps.postgres, { merchantId, after, limit: query.limit + 1 })
      return pageOf(rows, query.limit, depositAnswer, (last) => cursors.encode(last.id))
    },
  )
}
