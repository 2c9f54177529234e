import { budgetDay, budgetMonthOf, budgetWeekOf, leastReserve } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'
import { findMerchants, findRules, walletBalances } from '@endcap/storage/postgres'
import type { PacingRecord } from '../domain/budget.js'
import type { CampaignMeans, CampaignRecord } from '../domain/campaign.js'
import { findSpend } from '../store/campaigns.js'
import { findPacing } from '../store/pacing.js'

/** What a campaign has spent and may still draw on, with its merchant's day and currency. */
export interface CampaignPosition {
  readonly means: CampaignMeans
  /** The merchant's budget day. */
  readonly day: string
  readonly currency: string
  /** undefined before pacing has seen the campaign today. */
  readonly pacing: PacingRecord | undefined
}

/** Looks up where each of these campaigns stands, in the order given. */
export async function positionsOf(
  db: Queryable,
  campaigns: readonly CampaignRecord[],
  nowMs: number,
): Promise<readonly CampaignPosition[]> {
  const ids = campaigns.map((campaign) => campaign.id)
  const merchantIds = [...new Set(campaigns.map((campaign) => campaign.merchantId))]
  const merchants = await findMerchants(db, merchantIds)
  const today = new Map([...merchants].map(([id, { timeZone }]) => [id, budgetDay(nowMs, timeZone)]))
  const days = [...new Set(today.values())]
  const periods = new Set(days.flatMap((day) => [day, budgetWeekOf(day), budgetMonthOf(day)]))
  const spend = await findSpend(db, ids, ['total', ...periods])
  const wallets = await walletBalances(db, merchantIds)
  const paced = await findPacing(db, ids)
  const rules = await findRules(db)
  const blockedMerchants = new Set(rules.blocked.merchants)
  const blockedCategories = new Set(rules.blocked.categories)
  return campaigns.map((campaign) => {
    const { id, merchantId } = campaign
    const { currency, timeZone } = merchants.get(merchantId)!
    const day = today.get(merchantId)!
    const known = paced.get(id)
    const pacing = known?.day === day ? known : undefined
    return {
      day,
      currency,
      pacing,
      means: {
        spentTodayMicros: spend(id, day),
        spentWeekMicros: spend(id, budgetWeekOf(day)),
        spentMonthMicros: spend(id, budgetMonthOf(day)),
        spentTotalMicros: spend(id, 'total'),
        walletMicros: wallets.get(merchantId)?.balanceMicros ?? 0n,
        timeZone,
        leastReserveMicros: leastReserve(rules, campaign),
        merchantBlocked: blockedMerchants.has(merchantId),
        blockedCategories,
        passThrough: pacing?.passThrough ?? 1,
      },
    }
  })
}
