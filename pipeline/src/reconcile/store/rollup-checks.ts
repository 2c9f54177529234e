import { countCell, defineQuery, instantMsParam, int64Cell } from '@endcap/platform/clickhouse'
import { z } from 'zod'

const since = z.object({ sinceMs: instantMsParam })
const totalsRow = z.object({
  impressions: countCell,
  viewableImpressions: countCell,
  clicks: countCell,
  invalidImpressions: countCell,
  invalidClicks: countCell,
  spendMicros: int64Cell,
})
export type PerformanceTotals = z.output<typeof totalsRow>

const INVALID = `outcome = 'not_charged' and not startsWith(reason, 'over_')`

/** What the rollups should hold since an instant, counted from the raw rows. */
export const rawTotals = defineQuery({
  name: 'reconcile.raw_totals',
  params: since,
  row: totalsRow,
  sql: `select impressions, viewableImpressions, clicks, invalidImpressions, invalidClicks, spendMicros
    from (
      select countIf(type = 'impression') as impressions, countIf(type = 'viewable') as viewableImpressions,
        countIf(type = 'click') as clicks
      from interactions_v1 where occurred_at >= {sinceMs:DateTime64(3, 'UTC')}) as shown
    cross join (
      select countIf(interaction_type = 'impression' and ${INVALID}) as invalidImpressions,
        countIf(interaction_type = 'click' and ${INVALID}) as invalidClicks, sum(amount_micros) as spendMicros
      from charges_v1 where occurred_at >= {sinceMs:DateTime64(3, 'UTC')}) as judged`,
})

const rollupTotals = (table: string, time: string, from: string) =>
  defineQuery({
    name: `reconcile.${table}`,
    params: since,
    row: totalsRow,
    sql: `select sum(impressions) as impressions, sum(viewable_impressions) as viewableImpressions, sum(clicks) as clicks,
        sum(invalid_impressions) as invalidImpressions, sum(invalid_clicks) as invalidClicks, sum(spend_micros) as spendMicros
      from ${table} where ${time} >= ${from}`,
  })

/** What the rollups hold since an instant, which must be the start of a UTC day. */
export const minuteTotals = rollupTotals(
  'performance_minute_v1',
  'minute',
  `toDateTime({sinceMs:DateTime64(3, 'UTC')}, 'UTC')`,
)
export const dayTotals = rollupTotals(
  'performance_day_v1',
  'day',
  `toDate({sinceMs:DateTime64(3, 'UTC')}, 'UTC')`,
)

/** Charges by currency since an instant, from the raw verdicts. */
export const chargesSince = defineQuery({
  name: 'reconcile.charges_since',
  params: since,
  row: z.object({ currency: z.string(), verdicts: countCell, charged: countCell, micros: int64Cell }),
  sql: `select currency, count() as verdicts, countIf(outcome = 'charged') as charged, sum(amount_micros) as micros
    from charges_v1 where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} group by currency order by currency`,
})
