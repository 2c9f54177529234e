import { type CampaignBudget, formatMoney, type Micros, maxMicros, minMicros } from '@endcap/contracts'
import type { CampaignMeans, CampaignRecord, NotServingReason } from './campaign.js'

/** Where the pacing job is with a campaign, as far as its owner is told. */
export interface PacingRecord {
  readonly campaignId: string
  readonly day: string
  /** Of the day's forecast traffic, within the campaign's hours, gone by at the last step. */
  readonly share: number
  readonly allowanceMicros: Micros | null
  readonly multiplier: number
  readonly passThrough: number
}

/** Before this share of the day's traffic has gone by, a forecast would be a guess. */
const LEAST_FORECAST_SHARE = 0.02

export interface BudgetFacts {
  readonly day: string
  readonly currency: string
  readonly means: CampaignMeans
  /** undefined before pacing has seen the campaign today. */
  readonly pacing: PacingRecord | undefined
  readonly overDelivery: { readonly dayMicros: Micros; readonly totalMicros: Micros }
  readonly notServing: NotServingReason | null
}

/** A campaign's budget as its owner sees it. */
export function budgetAnswer(campaign: CampaignRecord, facts: BudgetFacts): CampaignBudget {
  const { means, pacing, overDelivery } = facts
  const forecastMicros = forecastDay(campaign, means, pacing)
  return {
    campaignId: campaign.id,
    currency: facts.currency,
    day: facts.day,
    limits: {
      day: limitOf(campaign.budgetDailyMicros, means.spentTodayMicros),
      week: limitOf(campaign.budgetWeeklyMicros, means.spentWeekMicros),
      month: limitOf(campaign.budgetMonthlyMicros, means.spentMonthMicros),
      total: limitOf(campaign.budgetTotalMicros, means.spentTotalMicros),
    },
    wallet: { remaining: formatMoney(means.walletMicros) },
    pacing: {
      mode: campaign.pacing,
      multiplier: pacing?.multiplier ?? null,
      passThrough: pacing?.passThrough ?? null,
      dayAllowance: pacing?.allowanceMicros == null ? null : formatMoney(pacing.allowanceMicros),
      dayShare: pacing?.share ?? null,
    },
    forecastDay: forecastMicros === undefined ? null : formatMoney(forecastMicros),
    overDelivery: { day: formatMoney(overDelivery.dayMicros), total: formatMoney(overDelivery.totalMicros) },
    notServing: facts.notServing,
  }
}

/**
 * Spend so far ÷ the share of the day's forecast traffic that has gone by, never more than spend so far + what the tightest
 * limit leaves; undefined while less than 2 % of the traffic has gone by.
 */
function forecastDay(
  campaign: CampaignRecord,
  means: CampaignMeans,
  pacing: Pick<PacingRecord, 'share'> | undefined,
): Micros | undefined {
  if (!pacing || pacing.share < LEAST_FORECAST_SHARE) return undefined
  const projected = BigInt(Math.round(Number(means.spentTodayMicros) / pacing.share))
  const left = [
    [campaign.budgetDailyMicros, means.spentTodayMicros] as const,
    [campaign.budgetWeeklyMicros, means.spentWeekMicros] as const,
    [campaign.budgetMonthlyMicros, means.spentMonthMicros] as const,
    [campaign.budgetTotalMicros, means.spentTotalMicros] as const,
  ].reduce(
    (least, [limit, spent]) => (limit === null ? least : minMicros(least, limit - spent)),
    means.walletMicros,
  )
  return minMicros(projected, means.spentTodayMicros + maxMicros(0n, left))
}

/** What is left is never below zero: a limit that was lowered under what is spent leaves nothing. */
const limitOf = (limit: Micros | null, spent: Micros) => ({
  limit: limit === null ? null : formatMoney(limit),
  spent: formatMoney(spent),
  remaining: limit === null ? null : formatMoney(maxMicros(0n, limit - spent)),
})
