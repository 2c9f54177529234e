import type { ClickHouse } from '@endcap/platform/clickhouse'
import { countCell, defineQuery, identifier, instantMsCell, toDateTime64 } from '@endcap/platform/clickhouse'
import { z } from 'zod'

/** An event on its way into a table, with the name of the batch that brings it. */
export interface StoredEvent<Event> {
  readonly event: Event
  /** The token of the range of the log that it came in; tells a retried batch from another one. */
  readonly batch: string
}

/**
 * The name of rows of a batch that are stored again because a fault took them, the n-th time: views of the raw tables leave them out,
 * see migration 0009. They are rows of the batch all the same, see `OF_BATCH`.
 */
export const againName = (batch: string, time: number): string => `${batch}:again-${time}`

/** A condition: rows of the batch `{batch:String}`, whatever it took to store them. */
export const OF_BATCH = `(source_batch = {batch:String} or startsWith(source_batch, concat({batch:String}, ':again-')))`

/** Events by id, with when they occurred: both together lead to a few granules, see `AMONG_EVENTS`. */
const eventsAt = z.object({ ids: z.array(z.string()), atMs: z.array(z.int()).min(1) })

/** The parameters that `AMONG_EVENTS` and `OF_BATCH` bind. */
export const eventsOfBatch = z
  .object({ batch: z.string(), ...eventsAt.shape })
  .transform(({ batch, ids, atMs }) => ({ batch, ids, ...hoursOf(atMs) }))

/** The parameters that `AMONG_EVENTS` binds. */
export const amongEvents = eventsAt.transform(({ ids, atMs }) => ({ ids, ...hoursOf(atMs) }))

/** A condition that the primary key (hour, event id) answers. */
export const AMONG_EVENTS = `occurred_at >= {from:DateTime64(3, 'UTC')} and occurred_at <= {to:DateTime64(3, 'UTC')}
        and toStartOfHour(occurred_at) in {hours:Array(DateTime('UTC'))} and event_id in {ids:Array(String)}`

/** Reads that every raw event table answers alike; of a topic whose events go to several tables, all of them together. */
export const eventReads = (...tables: [string, ...string[]]) => readsFrom(tables[0], sourceOf(tables))

function sourceOf(tables: readonly string[]): string {
  if (tables.length === 1) return identifier(tables[0]!)
  const selects = tables.map(
    (table) => `select event_id, occurred_at, received_at, source_batch from ${identifier(table)}`,
  )
  return `(${selects.join(' union all ')})`
}

const readsFrom = (name: string, source: string) => ({
  /** Rows and distinct event ids: equal where every event is one row. */
  counts: defineQuery({
    name: `${name}.counts`,
    params: z.object({}),
    row: z.object({ rows: countCell, ids: countCell }),
    sql: `select count() as rows, uniqExact(event_id) as ids from ${source}`,
  }),
  /** When the newest stored event was received; 0 for an empty table. */
  receivedThrough: defineQuery({
    name: `${name}.received_through`,
    params: z.object({}),
    row: z.object({ receivedThroughMs: instantMsCell }),
    sql: `select max(received_at) as receivedThroughMs from ${source}`,
  }),
  /**
   * Which of these ids other batches have stored. `atMs`: when the events occurred; that never changes, so every copy of an event
   * lies in its hour, and the primary key (hour, event id) leads to a few granules however far apart the hours are.
   */
  idsOfOtherBatches: defineQuery({
    name: `${name}.ids_of_other_batches`,
    params: eventsOfBatch,
    row: z.object({ eventId: z.string() }),
    sql: `select distinct event_id as eventId from ${source}
      where ${AMONG_EVENTS} and not ${OF_BATCH}`,
  }),
})

/** How many rows of each of these events a table holds from a batch. */
export const rowsOfBatch = (table: string) =>
  defineQuery({
    name: `${table}.rows_of_batch`,
    params: eventsOfBatch,
    row: z.object({ eventId: z.string(), rows: countCell }),
    sql: `select event_id as eventId, count() as rows from ${identifier(table)}
      where ${AMONG_EVENTS} and ${OF_BATCH} group by event_id`,
  })

/** Deletes the rows of these events that a table holds from a batch. */
export async function deleteRowsOfBatch(
  clickhouse: ClickHouse,
  table: string,
  of: z.input<typeof eventsOfBatch>,
): Promise<void> {
  await clickhouse.command(
    `delete from ${identifier(table)} where ${AMONG_EVENTS} and ${OF_BATCH}`,
    eventsOfBatch.parse(of),
  )
}

const HOUR_MS = 3_600_000

/** The hours of these instants, first to last, as parameters that lead the primary key to a few granules. */
export function hoursOf(atMs: readonly number[]): { from: string; to: string; hours: string[] } {
  const hours = [...new Set(atMs.map((instantMs) => Math.floor(instantMs / HOUR_MS)))].sort((a, b) => a - b)
  const first = hours[0]! * HOUR_MS
  const last = hours.at(-1)! * HOUR_MS + HOUR_MS - 1
  return {
    from: toDateTime64(first),
    to: toDateTime64(last),
    hours: hours.map((hour) => toDateTime64(hour * HOUR_MS).slice(0, 19)),
  }
}
