import type { Micros } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'

/**
 * What was billed beyond the limits: over all campaigns and budget days, the sum of what exceeds the limit that is set now.
 * The demo never lowers a limit, so anything but 0 is a fault.
 */
export async function overBudgetMicros(postgres: Queryable): Promise<Micros> {
  const { rows } = await postgres.query<{ over: bigint }>(
    `with spent as (
       select c.campaign_id, c.budget_day, sum(c.amount_micros)::bigint as micros
       from charges c group by c.campaign_id, c.budget_day
     ), over_day as (
       select greatest(0, s.micros - k.budget_daily_micros) as over
       from spent s join campaigns k on k.id = s.campaign_id where k.budget_daily_micros is not null
     ), over_total as (
       select greatest(0, sum(s.micros) - min(k.budget_total_micros)) as over
       from spent s join campaigns k on k.id = s.campaign_id where k.budget_total_micros is not null group by s.campaign_id
     )
     select (coalesce((select sum(over) from over_day), 0) + coalesce((select sum(over) from over_total), 0))::bigint as over`,
  )
  return rows[0]!.over
}
