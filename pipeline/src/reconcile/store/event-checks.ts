import { countCell, defineQuery, instantMsParam } from '@endcap/platform/clickhouse'
import { z } from 'zod'

/** Where every event of a topic has a row, or one a line. */
export interface EventRows {
  /** The topic's name in queries. */
  readonly name: string
  /** A table, or a query in brackets. */
  readonly from: string
  /** What tells the rows apart. */
  readonly key: string
  /** Where the events' amounts are, and what they are of a row. */
  readonly amounts?: Amounts
}

export interface Amounts {
  readonly from: string
  readonly micros: string
}

/**
 * Rows that are named after offsets of the log up to where ingest had come: a batch is called `topic:partition:first-last`, with more
 * behind it when it was rebuilt. A row with another name takes part.
 */
export const STORED_BY_THEN = `
  toInt64OrZero(extract(source_batch, '^[^:]+:[0-9]+:[0-9]+-([0-9]+)')) < transform(
    toInt64OrZero(extract(source_batch, '^[^:]+:([0-9]+):')),
    {partitions:Array(Int64)}, {nexts:Array(Int64)}, toInt64(9223372036854775807))`

const scope = {
  sinceMs: instantMsParam,
  partitions: z.array(z.int()),
  nexts: z.array(z.bigint()),
}

export type StoredWithin = z.input<z.ZodObject<typeof scope>>

/** What the rows say in money by the hour in which their events occurred. */
export const amountsByHour = (name: string, { from, micros }: Amounts) =>
  defineQuery({
    name: `reconcile.${name}_amounts_by_hour`,
    params: z.object(scope),
    row: z.object({
      startMs: countCell.transform((seconds) => seconds * 1000),
      micros: z.string().transform(BigInt),
    }),
    sql: `select toUnixTimestamp(toStartOfHour(occurred_at)) as startMs, toString(sum(${micros})) as micros
      from ${from}
      where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and ${STORED_BY_THEN}
      group by startMs`,
    maxSeconds: 300,
  })

/** The events of a table by the hour in which they occurred. */
export const storedByHour = ({ name, from, key }: EventRows) =>
  defineQuery({
    name: `reconcile.${name}_by_hour`,
    params: z.object(scope),
    row: z.object({
      startMs: countCell.transform((seconds) => seconds * 1000),
      rows: countCell,
      distinctRows: countCell,
      ids: countCell,
    }),
    sql: `select toUnixTimestamp(toStartOfHour(occurred_at)) as startMs, count() as rows,
        uniqExact(${key}) as distinctRows, uniqExact(event_id) as ids
      from ${from}
      where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and ${STORED_BY_THEN}
      group by startMs order by startMs`,
  })

/** The events of one hour: how many rows each has, how many of them differ, and whether it was stored by then. */
export const storedOfHour = ({ name, from, key }: EventRows) =>
  defineQuery({
    name: `reconcile.${name}_of_hour`,
    params: z.object({ ...scope, sinceMs: instantMsParam }),
    row: z.object({ id: z.string(), doubled: countCell, byThen: countCell }),
    sql: `select event_id as id, count() - uniqExact(${key}) as doubled,
        countIf(${STORED_BY_THEN}) as byThen
      from ${from}
      where toStartOfHour(occurred_at) = toDateTime({sinceMs:DateTime64(3, 'UTC')})
      group by event_id`,
    maxSeconds: 300,
  })

/** Hours in which auctions lack rows of their slots, or have too many. */
export const slotsUnlikeAuctions = defineQuery({
  name: 'reconcile.slots_unlike_auctions',
  params: z.object({ sinceMs: instantMsParam, beforeMs: instantMsParam }),
  row: z.object({ startMs: countCell.transform((seconds) => seconds * 1000) }),
  sql: `select toUnixTimestamp(start) as startMs from (
      select toStartOfHour(occurred_at) as start, toInt64(sum(candidates)) as slots from auctions_v1
      where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and occurred_at < {beforeMs:DateTime64(3, 'UTC')} group by start
      union all
      select toStartOfHour(occurred_at) as start, -toInt64(count()) as slots from auction_slots_v1
      where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and occurred_at < {beforeMs:DateTime64(3, 'UTC')} group by start)
    group by start having sum(slots) != 0 order by start`,
  maxSeconds: 300,
})
