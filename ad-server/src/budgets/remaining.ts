import { budgetMonthOf, budgetWeekOf, type Micros } from '@endcap/contracts'
import type { IndexedCampaign } from '../index/indexed-campaign.js'
import type { Remaining } from '../serve/2-filter/filter.js'
import type { Limits } from './accounts.js'

/** What a campaign may still spend by the budget view, and what is held for slots already sold. */
export function remainingOf(campaign: IndexedCampaign, budgetDay: string): Remaining {
  const { account, wallet } = campaign
  let { limits } = campaign
  if (!limits || limits.spend !== account.spend || limits.day !== budgetDay) {
    limits = limitsOf(campaign, budgetDay)
    campaign.limits = limits
  }
  return {
    totalMicros: limits.totalMicros,
    monthMicros: limits.monthMicros,
    weekMicros: limits.weekMicros,
    dayMicros: limits.dayMicros,
    // A merchant without a wallet in the view has never deposited.
    walletMicros: wallet.balanceMicros ?? 0n,
    heldMicros: account.heldMicros + account.heldElsewhereMicros,
    heldByMerchantMicros: wallet.heldMicros + wallet.heldElsewhereMicros,
  }
}

function limitsOf(campaign: IndexedCampaign, day: string): Limits {
  const { spend } = campaign.account
  // In another period than billing last wrote, nothing is spent yet.
  const isNow = (periodOf: (day: string) => string): boolean =>
    spend !== undefined && periodOf(spend.day) === periodOf(day)
  return {
    spend,
    day,
    totalMicros: left(campaign.budgetTotalMicros, spend?.spentTotalMicros),
    monthMicros: left(
      campaign.budgetMonthlyMicros,
      isNow(budgetMonthOf) ? spend?.spentMonthMicros : undefined,
    ),
    weekMicros: left(campaign.budgetWeeklyMicros, isNow(budgetWeekOf) ? spend?.spentWeekMicros : undefined),
    dayMicros: left(campaign.budgetDailyMicros, spend?.day === day ? spend.spentDayMicros : undefined),
  }
}

const left = (limit: Micros | undefined, spent: Micros | undefined): Micros | undefined =>
  limit === undefined ? undefined : limit - (spent ?? 0n)
