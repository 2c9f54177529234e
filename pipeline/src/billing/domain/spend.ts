import { budgetMonthOf, budgetWeekOf, type ChargeReason, type Micros } from '@endcap/contracts'
import { type CampaignLimits, type Offer, type SpendCounter, TOTAL_PERIOD } from './types.js'

const IMPRESSIONS_PER_CPM_PRICE = 1000n

export interface Cost {
  readonly amountMicros: Micros
  readonly carry: bigint
}

/**
 * A click costs its price. An impression costs a thousandth of its cpm price; what is below a whole micro is carried to the
 * campaign's next impression, so that a thousand impressions cost exactly one price.
 */
export function costOf(offer: Pick<Offer, 'pricing' | 'priceMicros'>, carry: bigint): Cost {
  if (offer.pricing === 'cpc') return { amountMicros: offer.priceMicros, carry }
  const thousandths = offer.priceMicros + carry
  return {
    amountMicros: thousandths / IMPRESSIONS_PER_CPM_PRICE,
    carry: thousandths % IMPRESSIONS_PER_CPM_PRICE,
  }
}

/** The periods that what is spent on a budget day counts against. */
export const periodsOf = (day: string): readonly string[] => [
  TOTAL_PERIOD,
  budgetMonthOf(day),
  budgetWeekOf(day),
  day,
]

/**
 * The first limit that an amount would exceed, of total budget, month, week, day and wallet; '' when it fits under all of them.
 * `counters` are those of `periodsOf`, in their order.
 */
export function limitExceeded(
  campaign: CampaignLimits,
  amountMicros: Micros,
  counters: readonly SpendCounter[],
  balanceMicros: Micros,
): ChargeReason {
  const [total, month, week, day] = counters
  const exceeds = (limitMicros: Micros | undefined, counter: SpendCounter) =>
    limitMicros !== undefined && counter.spentMicros + amountMicros > limitMicros
  if (exceeds(campaign.budgetTotalMicros, total!)) return 'over_budget_total'
  if (exceeds(campaign.budgetMonthlyMicros, month!)) return 'over_budget_month'
  if (exceeds(campaign.budgetWeeklyMicros, week!)) return 'over_budget_week'
  if (exceeds(campaign.budgetDailyMicros, day!)) return 'over_budget_day'
  return amountMicros > balanceMicros ? 'over_wallet' : ''
}
