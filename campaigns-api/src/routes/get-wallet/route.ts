import { budgetDay, formatMoney, wallet } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import { visibleMerchant } from '@endcap/storage/http'
import { walletBalances } from '@endcap/storage/postgres'
import type { CampaignsApiDeps } from '../../deps.js'
import { spentOnDay } from '../../store/wallets.js'
import { idParams } from '../id-params.js'

export function getWallet(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id/wallet',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: "A merchant's balance, and its spend of the present budget day",
        tags: ['wallet'],
        params: idParams,
        response: { 200: wallet },
      },
    },
    async ({ caller, params }) => {
      const merchant = await visibleMerchant(deps.postgres, caller, params.id)
      const [balances, spent] = await Promise.all([
        walletBalances(deps.postgres, [merchant.id]),
        spentOnDay(deps.postgres, merchant.id, budgetDay(deps.clock(), merchant.timeZone)),
      ])
      return {
        balance: formatMoney(balances.get(merchant.id)?.balanceMicros ?? 0n),
        currency: merchant.currency,
        spentToday: formatMoney(spent),
      }
    },
  )
}
