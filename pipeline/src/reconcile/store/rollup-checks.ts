import { countCell, defineQuery, instantMsParam, int64Cell } from '@endcap/platform/clickhouse'
import { z } from 'zod'

const period = z.object({ sinceMs: instantMsParam, beforeMs: instantMsParam })
const epochMs = countCell.transform((seconds) => seconds * 1000)
const totalsRow = z.object({
  startMs: epochMs,
  impressions: countCell,
  viewableImpressions: countCell,
  clicks: countCell,
  invalidImpressions: countCell,
  invalidClicks: countCell,
  spendMicros: int64Cell,
})
export type PerformanceTotals = z.output<typeof totalsRow>

const INVALID = `(outcome = 'clawed_back' or outcome = 'not_charged' and not startsWith(reason, 'over_'))`
const RAW_PERIOD = `occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and occurred_at < {beforeMs:DateTime64(3, 'UTC')}`

/** What a rollup should hold, counted from the raw rows. */
const rawTotals = (name: string, start: string) =>
  defineQuery({
    name: `reconcile.raw_by_${name}`,
    params: period,
    row: totalsRow,
    sql: `select toUnixTimestamp(start) as startMs, sum(impressions) as impressions, sum(viewable) as viewableImpressions,
      sum(clicks) as clicks, sum(invalid_impressions) as invalidImpressions, sum(invalid_clicks) as invalidClicks,
      sum(spend) as spendMicros
    from (
      select ${start} as start, countIf(type = 'impression') as impressions, countIf(type = 'viewable') as viewable,
        countIf(type = 'click') as clicks, 0 as invalid_impressions, 0 as invalid_clicks, toInt64(0) as spend
      from interactions_v1 where ${RAW_PERIOD} group by start
      union all
      select ${start} as start, 0, 0, 0, countIf(interaction_type = 'impression' and ${INVALID}),
        countIf(interaction_type = 'click' and ${INVALID}), sum(amount_micros)
      from charges_v1 where ${RAW_PERIOD} group by start)
    group by start order by start`,
  })

const rollupTotals = (name: string, table: string, time: string, start: string, bound: string) =>
  defineQuery({
    name: `reconcile.${name}`,
    params: period,
    row: totalsRow,
    sql: `select toUnixTimestamp(${start}) as startMs, sum(impressions) as impressions,
      sum(viewable_impressions) as viewableImpressions, sum(clicks) as clicks,
      sum(invalid_impressions) as invalidImpressions, sum(invalid_clicks) as invalidClicks, sum(spend_micros) as spendMicros
    from ${table}
    where ${time} >= ${bound}({sinceMs:DateTime64(3, 'UTC')}) and ${time} < ${bound}({beforeMs:DateTime64(3, 'UTC')})
    group by startMs order by startMs`,
  })

/** Raw rows beside the rollup by the minute, by hour. The period must begin and end with an hour. */
export const byHour = {
  raw: rawTotals('hour', 'toStartOfHour(occurred_at)'),
  rollup: rollupTotals(
    'minute_by_hour',
    'performance_minute_v1',
    'minute',
    'toStartOfHour(minute)',
    'toDateTime',
  ),
}
/** Raw rows beside the rollup by the day. The period must begin and end with a UTC day. */
export const byDay = {
  raw: rawTotals('day', `toDateTime(toDate(occurred_at, 'UTC'), 'UTC')`),
  rollup: rollupTotals('day', 'performance_day_v1', 'day', `toDateTime(day, 'UTC')`, 'toDate'),
}

/** Charges by hour and currency, from the raw rows. */
export const storedChargesByHour = defineQuery({
  name: 'reconcile.charges_by_hour',
  params: z.object({ sinceMs: instantMsParam, billedBeforeMs: instantMsParam }),
  row: z.object({
    startMs: epochMs,
    currency: z.string(),
    verdicts: countCell,
    charged: countCell,
    clawedBack: countCell,
    micros: int64Cell,
  }),
  sql: `select toUnixTimestamp(toStartOfHour(occurred_at)) as startMs, currency, countIf(outcome != 'clawed_back') as verdicts,
      countIf(outcome = 'charged') as charged, countIf(outcome = 'clawed_back') as clawedBack, sum(amount_micros) as micros
    from charges_v1
    where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and received_at < {billedBeforeMs:DateTime64(3, 'UTC')}
    group by startMs, currency order by startMs, currency`,
})

/** The charges of one hour: each event with its rows and what they move. */
export const storedCharges = defineQuery({
  name: 'reconcile.charges_of_hour',
  params: z.object({ hourMs: instantMsParam, billedBeforeMs: instantMsParam }),
  row: z.object({ id: z.string(), micros: int64Cell }),
  sql: `select event_id as id, sum(amount_micros) as micros from charges_v1
    where toStartOfHour(occurred_at) = toDateTime({hourMs:DateTime64(3, 'UTC')})
      and received_at < {billedBeforeMs:DateTime64(3, 'UTC')}
    group by event_id`,
})

/** Interactions with more than one verdict, and charges given back more than once: none, always. */
export const repeatedCharges = defineQuery({
  name: 'reconcile.repeated_charges',
  params: z.object({ sinceMs: instantMsParam }),
  row: z.object({ rows: countCell, distinct: countCell, repeated: z.array(z.string()) }),
  sql: `select sum(n) as rows, count() as distinct, groupArraySortedIf(20)(id, n > 1) as repeated
    from (
      select if(outcome = 'clawed_back', charge_id, interaction_id) as id, outcome = 'clawed_back' as back, count() as n
      from charges_v1 where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} group by id, back)`,
})
