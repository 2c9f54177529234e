import type { Clock } from '@endcap/contracts'
import type { IndexedCampaign } from '../index/ad-index.js'
import type { Remaining } from '../serve/2-filter/filter.js'
import type { BudgetFeed } from './budget-feed.js'
import type { InFlightSpend } from './in-flight.js'

/** What a campaign may still spend by the budget view, and what is held for slots already sold. */
export function createRemaining(budgets: BudgetFeed, inFlight: InFlightSpend, clock: Clock) {
  return function remainingOf(campaign: IndexedCampaign, budgetDay: string): Remaining {
    const spend = budgets.campaign(campaign.id)
    // On another day than billing last wrote, nothing is spent yet.
    const spentDay = spend?.day === budgetDay ? spend.spentDayMicros : 0n
    const { budgetTotalMicros, budgetDailyMicros } = campaign
    const nowMs = clock()
    return {
      totalMicros:
        budgetTotalMicros === undefined ? undefined : budgetTotalMicros - (spend?.spentTotalMicros ?? 0n),
      dayMicros: budgetDailyMicros === undefined ? undefined : budgetDailyMicros - spentDay,
      // A merchant without a wallet in the view has never deposited.
      walletMicros: budgets.walletMicros(campaign.merchantId) ?? 0n,
      heldMicros: inFlight.held(campaign.id, nowMs),
      heldByMerchantMicros: inFlight.held(campaign.merchantId, nowMs),
    }
  }
}
