import type { IndexedCampaign } from '../index/ad-index.js'
import type { Remaining } from '../serve/2-filter/filter.js'

/** What a campaign may still spend by the budget view, and what is held for slots already sold. */
export function remainingOf(campaign: IndexedCampaign, budgetDay: string): Remaining {
  const { account, wallet, budgetTotalMicros, budgetDailyMicros } = campaign
  const { spend } = account
  // On another day than billing last wrote, nothing is spent yet.
  const spentDay = spend?.day === budgetDay ? spend.spentDayMicros : 0n
  return {
    totalMicros:
      budgetTotalMicros === undefined ? undefined : budgetTotalMicros - (spend?.spentTotalMicros ?? 0n),
    dayMicros: budgetDailyMicros === undefined ? undefined : budgetDailyMicros - spentDay,
    // A merchant without a wallet in the view has never deposited.
    walletMicros: wallet.balanceMicros ?? 0n,
    heldMicros: account.heldMicros,
    heldByMerchantMicros: wallet.heldMicros,
  }
}
