import {
  formatMoney,
  listQuery,
  month,
  monthBounds,
  monthOf,
  monthsBetween,
  page,
  statementSummary,
} from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchant } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { isPreliminary } from '../../statements/build-statement.js'
import { balancesBefore } from '../../store/statements.js'
import { idParams } from '../id-params.js'

export function getStatements(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id/statements',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: "A merchant's months with their balances, newest first",
        tags: ['wallet'],
        params: idParams,
        querystring: listQuery,
        response: { 200: page(statementSummary) },
      },
    },
    async ({ caller, params, query }) => {
      const merchant = await visibleMerchant(deps.postgres, caller, params.id)
      const { id, currency, timeZone } = merchant
      const nowMs = deps.clock()
      const cursors = cursorsOf(`statements of ${id}`, month)
      const before = cursors.decode(query.cursor)
      const shown = monthsBetween(monthOf(merchant.createdAt.getTime(), timeZone), monthOf(nowMs, timeZone))
        .filter((name) => before === undefined || name < before)
        .slice(-query.limit - 1)
        .reverse()
      if (shown.length === 0) return { items: [], nextCursor: null }
      const bounds = shown.map((name) => monthBounds(name, timeZone))
      // The end of the newest month, then the start of each: in order of time.
      const instants = [bounds[0]!.toMs, ...bounds.map(({ fromMs }) => fromMs)].reverse()
      const balances = [
        ...(await balancesBefore(
          deps.postgres,
          id,
          instants.map((at) => new Date(at)),
        )),
      ].reverse()
      const rows = shown.map((name, index) => ({
        month: name,
        currency,
        preliminary: isPreliminary(bounds[index]!, nowMs),
        openingBalance: formatMoney(balances[index + 1]!),
        closingBalance: formatMoney(balances[index]!),
      }))
      return pageOf(
        rows,
        query.limit,
        (row) => row,
        (last) => cursors.encode(last.month),
      )
    },
  )
}
