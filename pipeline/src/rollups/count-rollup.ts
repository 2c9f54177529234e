import { type ClickHouse, countCell, defineQuery } from '@endcap/platform/clickhouse'
import { hoursOf, OF_BATCH } from '@endcap/storage/clickhouse'
import { z } from 'zod'
import { COUNT_COLUMNS, type View } from './views.js'

export interface Rollup {
  readonly name: string
  readonly table: string
  readonly time: string
  /** The bucket of a raw row. */
  readonly bucket: string
  /** The bucket of its receipt: nothing that is rebuilt is smaller than this. */
  readonly receiptBucket: string
  /** The type of both. */
  readonly type: string
}

export const ROLLUPS = {
  minute: {
    name: 'minute',
    table: 'performance_minute_v1',
    time: 'minute',
    bucket: 'toStartOfMinute(occurred_at)',
    receiptBucket: 'toStartOfHour(occurred_at)',
    type: 'toDateTime',
  },
  day: {
    name: 'day',
    table: 'performance_day_v1',
    time: 'day',
    bucket: `toDate(occurred_at, 'UTC')`,
    receiptBucket: `toDate(occurred_at, 'UTC')`,
    type: 'toDate',
  },
} as const satisfies Record<string, Rollup>

const DIMENSIONS =
  'merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored'
const FROM = `{from:DateTime64(3, 'UTC')}`
const TO = `{to:DateTime64(3, 'UTC')}`
const receiptOf = (view: View, batch: string) => `concat('${view.name}/', ${batch})`

/**
 * What a view would have made of these rows, totals and receipts, `{times:Int8}` times: −1 takes away what is counted once too often
 * (unsigned sums wrap around, and back).
 */
const countInto = (rollup: Rollup, view: View, where: string): string => {
  const counted = COUNT_COLUMNS.map((column) => view.counts[column] ?? '0')
  const cells = COUNT_COLUMNS.map((column, index) => {
    const type = column === 'spend_micros' ? 'toInt64' : 'toUInt64'
    return `${type}(if(is_receipt, 0, {times:Int8} * toInt64(counted_${index})))`
  })
  return `
    insert into ${rollup.table} (${rollup.time}, ${DIMENSIONS}, ${COUNT_COLUMNS.join(', ')}, source_batch,
      batchesMap.id, batchesMap.times, forget_at)
    select if(is_receipt, receipt_bucket, bucket), ${DIMENSIONS},
      ${cells.join(', ')},
      if(is_receipt, ${receiptOf(view, 'batch')}, ''),
      if(is_receipt, [toUInt8(1)], emptyArrayUInt8()),
      if(is_receipt, [toInt64({times:Int8})], emptyArrayInt64()),
      if(is_receipt, now('UTC') + interval 30 day, toDateTime('2106-01-01 00:00:00', 'UTC'))
    from (
      select ${rollup.bucket} as bucket, ${rollup.receiptBucket} as receipt_bucket, ${DIMENSIONS},
        replaceRegexpOne(source_batch, ':again-[0-9]+$', '') as batch, grouping(batch) = 0 as is_receipt,
        ${counted.map((expression, index) => `${expression} as counted_${index}`).join(', ')}
      from (select *${view.from === 'charges_v1' ? ', true as sponsored' : ''} from ${view.from} where ${where} and ${view.where})
      group by grouping sets ((bucket, ${DIMENSIONS}), (receipt_bucket, batch)))`
}

const PERIOD = `occurred_at >= ${FROM} and occurred_at < ${TO}`

/** Takes totals and receipts of a period out of a rollup. The period must begin and end with a bucket of receipts. */
export const forgetPeriod = ({ table, time, type }: Rollup): string =>
  `delete from ${table} where ${time} >= ${type}(${FROM}) and ${time} < ${type}(${TO})`

/** Counts a period's raw rows into a rollup that has nothing of it. Parameters: `from`, `to`, and `times`: 1. */
export const countPeriod = (rollup: Rollup, view: View): string => countInto(rollup, view, PERIOD)

const receiptSeconds = (expression: string) => `toUnixTimestamp(toDateTime(${expression}, 'UTC'))`
const BATCH_ROWS = `occurred_at >= ${FROM} and occurred_at <= ${TO} and ${OF_BATCH}`

/**
 * Where a batch is counted less or more than once, compared by its receipts: the bucket (seconds since the epoch) and how many times it
 * must still be counted there. `atMs`: when its events occurred.
 */
export const countedWrong = (rollup: Rollup, view: View) =>
  defineQuery({
    name: `ingest.counted_wrong_${view.name}_${rollup.name}`,
    params: z
      .object({ batch: z.string(), atMs: z.array(z.int()).min(1) })
      .transform(({ batch, atMs }) => ({ batch, ...bounds(atMs) })),
    row: z.object({ bucket: countCell, times: z.coerce.number().int() }),
    sql: `select bucket, toInt64(1) - sum(counted) as times from (
        select ${receiptSeconds(rollup.receiptBucket)} as bucket, toInt64(0) as counted
        from ${view.from} where ${BATCH_ROWS} and ${view.where} group by bucket
        union all
        select ${receiptSeconds(rollup.time)} as bucket, sum(arraySum(batchesMap.times)) as counted
        from ${rollup.table}
        where ${rollup.time} >= ${rollup.type}(${FROM}) and ${rollup.time} <= ${rollup.type}(${TO})
          and source_batch = ${receiptOf(view, '{batch:String}')}
        group by bucket)
      group by bucket having times != 0 order by bucket`,
  })

/** Counts the stored rows of a batch into some buckets of a rollup, under a name that drops its repetition. */
export async function countAgain(
  clickhouse: ClickHouse,
  rollup: Rollup,
  view: View,
  {
    batch,
    atMs,
    buckets,
    times,
    token,
  }: {
    readonly batch: string
    readonly atMs: readonly number[]
    readonly buckets: readonly number[]
    readonly times: number
    readonly token: string
  },
): Promise<void> {
  await clickhouse.command(
    countInto(
      rollup,
      view,
      `${BATCH_ROWS} and ${receiptSeconds(rollup.receiptBucket)} in {buckets:Array(UInt32)}`,
    ),
    { batch, ...bounds(atMs), buckets: [...buckets], times },
    { insert_deduplicate: 1, insert_deduplication_token: token },
  )
}

function bounds(atMs: readonly number[]): { from: string; to: string } {
  const { from, to } = hoursOf(atMs)
  return { from, to }
}
