import type { Micros } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'
import type { PacingRecord } from '../domain/budget.js'

/** Campaigns that the job has not seen yet are missing. */
export async function findPacing(
  db: Queryable,
  campaignIds: readonly string[],
): Promise<ReadonlyMap<string, PacingRecord>> {
  const { rows } = await db.query<PacingRecord>(
    `select campaign_id as "campaignId", day, share, allowance_micros as "allowanceMicros", multiplier,
       pass_through as "passThrough"
     from pacing_states where campaign_id = any($1::text[])`,
    [campaignIds],
  )
  return new Map(rows.map((row) => [row.campaignId, row]))
}

/** What was shown and clicked but not billed because a limit was used up: on a budget day, and in all. */
export async function findOverDelivery(
  db: Queryable,
  campaignId: string,
  day: string,
): Promise<{ readonly dayMicros: Micros; readonly totalMicros: Micros }> {
  const { rows } = await db.query<{ dayMicros: Micros; totalMicros: Micros }>(
    `select coalesce(sum(price_micros) filter (where budget_day = $2), 0)::bigint as "dayMicros",
       coalesce(sum(price_micros), 0)::bigint as "totalMicros"
     from charges where campaign_id = $1 and left(reason, 5) = 'over_'`,
    [campaignId, day],
  )
  return rows[0]!
}
