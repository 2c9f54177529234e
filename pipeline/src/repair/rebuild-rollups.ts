import { type ClickHouse, toDateTime64 } from '@endcap/platform/clickhouse'

const DIMENSIONS =
  'merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored'
const COUNTS = 'impressions, viewable_impressions, clicks, invalid_impressions, invalid_clicks, spend_micros'
const PERIOD = `occurred_at >= {from:DateTime64(3, 'UTC')} and occurred_at < {to:DateTime64(3, 'UTC')}`
const INVALID = `(outcome = 'clawed_back' or outcome = 'not_charged' and not startsWith(reason, 'over_'))`

interface Rollup {
  readonly table: string
  readonly time: string
  /** The bucket of a raw row. */
  readonly bucket: string
  /** The type of the bucket. */
  readonly type: string
}

const ROLLUPS = {
  minute: {
    table: 'performance_minute_v1',
    time: 'minute',
    bucket: 'toStartOfMinute(occurred_at)',
    type: 'toDateTime',
  },
  day: {
    table: 'performance_day_v1',
    time: 'day',
    bucket: `toDate(occurred_at, 'UTC')`,
    type: 'toDate',
  },
} as const satisfies Record<string, Rollup>

/** What the materialized views would have made of the raw rows (migrations 0004 and 0008). */
const statementsOf = ({ table, time, bucket, type }: Rollup): readonly string[] => [
  `delete from ${table}
   where ${time} >= ${type}({from:DateTime64(3, 'UTC')}) and ${time} < ${type}({to:DateTime64(3, 'UTC')})`,
  `insert into ${table} (${time}, ${DIMENSIONS}, ${COUNTS})
   select ${bucket} as ${time}, ${DIMENSIONS}, countIf(type = 'impression'), countIf(type = 'viewable'), countIf(type = 'click'),
     0, 0, 0
   from interactions_v1 where ${PERIOD} group by ${time}, ${DIMENSIONS}`,
  `insert into ${table} (${time}, ${DIMENSIONS}, ${COUNTS})
   select ${bucket} as ${time}, ${DIMENSIONS}, 0, 0, 0, countIf(interaction_type = 'impression' and ${INVALID}),
     countIf(interaction_type = 'click' and ${INVALID}), sum(amount_micros)
   from (select *, true as sponsored from charges_v1 where ${PERIOD}) group by ${time}, ${DIMENSIONS}`,
]

/**
 * Makes a rollup anew from the raw rows of a period, which must begin and end with one of its buckets. Between the statements reports
 * show less than there is.
 */
export async function rebuildRollup(
  clickhouse: ClickHouse,
  rollup: keyof typeof ROLLUPS,
  fromMs: number,
  toMs: number,
): Promise<void> {
  const period = { from: toDateTime64(fromMs), to: toDateTime64(toMs) }
  for (const statement of statementsOf(ROLLUPS[rollup])) {
    // The same rows may have been inserted by a repair before: that must not make them a repetition.
    await clickhouse.command(statement, period, { insert_deduplicate: 0 })
  }
}
