import { countCell, defineQuery, instantMsParam, int64Cell } from '@endcap/platform/clickhouse'
import { z } from 'zod'
import { STORED_FACTS } from './charge-facts.js'

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
  /** Over the totals of each campaign: what is counted for another one gives another sum. */
  checksum: countCell,
})
export type PerformanceTotals = z.output<typeof totalsRow>

const INVALID = `(outcome = 'clawed_back' or outcome = 'not_charged' and not startsWith(reason, 'over_'))`
const RAW_PERIOD = `occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and occurred_at < {beforeMs:DateTime64(3, 'UTC')}`

/** Sums up, period by period, what a query in brackets says of each campaign in it. */
const totalsOf = (campaigns: string): string =>
  `select toUnixTimestamp(start) as startMs, sum(i) as impressions, sum(v) as viewableImpressions, sum(c) as clicks,
    sum(ii) as invalidImpressions, sum(ic) as invalidClicks, sum(spend) as spendMicros,
    sum(cityHash64(merchant_id, campaign_id, i, v, c, ii, ic, spend) % 1000000007) as checksum
  from (select start, merchant_id, campaign_id, sum(impressions) as i, sum(viewable_impressions) as v, sum(clicks) as c,
      sum(invalid_impressions) as ii, sum(invalid_clicks) as ic, sum(spend_micros) as spend
    from ${campaigns} group by start, merchant_id, campaign_id
    having i + v + c + ii + ic > 0 or spend != 0)
  group by start order by start`

/** What a rollup should hold, counted from the raw rows. */
const rawTotals = (name: string, start: string) =>
  defineQuery({
    name: `reconcile.raw_by_${name}`,
    params: period,
    row: totalsRow,
    sql: totalsOf(`(
      select ${start} as start, toString(merchant_id) as merchant_id, toString(campaign_id) as campaign_id,
        countIf(type = 'impression') as impressions, countIf(type = 'viewable') as viewable_impressions,
        countIf(type = 'click') as clicks, 0 as invalid_impressions, 0 as invalid_clicks, toInt64(0) as spend_micros
      from interactions_v1 where ${RAW_PERIOD} group by start, merchant_id, campaign_id
      union all
      select ${start} as start, toString(merchant_id) as merchant_id, toString(campaign_id) as campaign_id, 0, 0, 0,
        countIf(interaction_type = 'impression' and ${INVALID}),
        countIf(interaction_type = 'click' and ${INVALID}), sum(amount_micros)
      from charges_v1 where ${RAW_PERIOD} group by start, merchant_id, campaign_id)`),
    maxSeconds: 300,
  })

const rollupTotals = (name: string, table: string, time: string, start: string, bound: string) =>
  defineQuery({
    name: `reconcile.${name}`,
    params: period,
    row: totalsRow,
    sql: totalsOf(`(
      select ${start} as start, toString(merchant_id) as merchant_id, toString(campaign_id) as campaign_id, impressions,
        viewable_impressions, clicks, invalid_impressions, invalid_clicks, spend_micros
      from ${table}
      where ${time} >= ${bound}({sinceMs:DateTime64(3, 'UTC')}) and ${time} < ${bound}({beforeMs:DateTime64(3, 'UTC')}))`),
    maxSeconds: 300,
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

/** What each merchant spent, by one of the rollups or by the raw rows. */
const spendOf = (name: string, table: string, column: string, time: string, bound: string) =>
  defineQuery({
    name: `reconcile.spend_${name}`,
    params: period,
    row: z.object({ merchantId: z.string(), micros: int64Cell }),
    sql: `select toString(merchant_id) as merchantId, sum(${column}) as micros from ${table}
      where ${time} >= ${bound}({sinceMs:DateTime64(3, 'UTC')}) and ${time} < ${bound}({beforeMs:DateTime64(3, 'UTC')})
      group by merchant_id having micros != 0`,
    maxSeconds: 300,
  })
export const spendByMerchant = {
  raw: spendOf('raw', 'charges_v1', 'amount_micros', 'occurred_at', ''),
  minute: spendOf('by_minute', 'performance_minute_v1', 'spend_micros', 'minute', 'toDateTime'),
  day: spendOf('by_day', 'performance_day_v1', 'spend_micros', 'day', 'toDate'),
}

export type SpendByMerchant = ReturnType<typeof spendOf>

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
    checksum: z.string(),
  }),
  sql: `select toUnixTimestamp(toStartOfHour(occurred_at)) as startMs, currency, countIf(outcome != 'clawed_back') as verdicts,
      countIf(outcome = 'charged') as charged, countIf(outcome = 'clawed_back') as clawedBack, sum(amount_micros) as micros,
      toString(sum(reinterpretAsUInt32(reverse(substring(MD5(${STORED_FACTS}), 1, 4))))) as checksum
    from charges_v1
    where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and received_at < {billedBeforeMs:DateTime64(3, 'UTC')}
    group by startMs, currency order by startMs, currency`,
})

/** The charges of one hour: each event with what its rows say. */
export const storedCharges = defineQuery({
  name: 'reconcile.charges_of_hour',
  params: z.object({ hourMs: instantMsParam, billedBeforeMs: instantMsParam }),
  row: z.object({ id: z.string(), facts: z.string() }),
  sql: `select event_id as id, arrayStringConcat(groupArray(${STORED_FACTS}), ', ') as facts from charges_v1
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
