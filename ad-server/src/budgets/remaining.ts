import type { IndexedCampaign } from '../index/ad-index.js'
import type { Remaining } from '../serve/2-filter/filter.js'
import type { Limits } from './accounts.js'

/** What a campaign may still spend by the budget view, and what is held for slots already sold. */
export function remainingOf(campaign: IndexedCampaign, budgetDay: string): Remaining {
  const { account, wallet } = campaign
  let { limits } = account
  if (!limits || limits.of !== campaign || limits.spend !== account.spend || limits.day !== budgetDay) {
    limits = limitsOf(campaign, budgetDay)
    account.limits = limits
  }
  return {
    totalMicros: limits.totalMicros,
    dayMicros: limits.dayMicros,
    // A merchant without a wallet in the view has never deposited.
    walletMicros: wallet.balanceMicros ?? 0n,
    heldMicros: account.heldMicros,
    heldByMerchantMicros: wallet.heldMicros,
  }
}

function limitsOf(campaign: IndexedCampaign, day: string): Limits {
  const { budgetTotalMicros, budgetDailyMicros } = campaign
  const { spend } = campaign.account
  // On another day than billing last wrote, nothing is spent yet.
  const spentDay = spend?.day === day ? spend.spentDayMicros : 0n
  return {
    of: campaign,
    spend,
    day,
    totalMicros:
      budgetTotalMicros === undefined ? undefined : budgetTotalMicros - (spend?.spentTotalMicros ?? 0n),
    dayMicros: budgetDailyMicros === undefined ? undefined : budgetDailyMicros - spentDay,
  }
}
