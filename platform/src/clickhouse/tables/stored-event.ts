import { z } from 'zod'
import { countCell, instantMsCell, instantMsParam } from '../cells.js'
import { defineQuery } from '../define-query.js'
import { identifier } from '../sql-text.js'

/** An event on its way into a table, with the name of the batch that brings it. */
export interface StoredEvent<Event> {
  readonly event: Event
  /** The token of the range of the log that it came in; tells a retried batch from another one. */
  readonly batch: string
}

/** Reads that every raw event table answers alike. */
export const eventReads = (table: string) => ({
  /** Rows and distinct event ids: equal where every event is one row. */
  counts: defineQuery({
    name: `${table}.counts`,
    params: z.object({}),
    row: z.object({ rows: countCell, ids: countCell }),
    sql: `select count() as rows, uniqExact(event_id) as ids from ${identifier(table)}`,
  }),
  /** When the newest stored event was received; 0 for an empty table. */
  receivedThrough: defineQuery({
    name: `${table}.received_through`,
    params: z.object({}),
    row: z.object({ receivedThroughMs: instantMsCell }),
    sql: `select max(received_at) as receivedThroughMs from ${identifier(table)}`,
  }),
  /**
   * Which of these ids other batches have stored. An event's `occurred_at` never changes, so that [from, to] of the ids asked for
   * holds every copy, and the primary key leaves only a few granules to read.
   */
  idsOfOtherBatches: defineQuery({
    name: `${table}.ids_of_other_batches`,
    params: z.object({
      fromMs: instantMsParam,
      toMs: instantMsParam,
      batch: z.string(),
      ids: z.array(z.string()),
    }),
    row: z.object({ eventId: z.string() }),
    sql: `select distinct event_id as eventId from ${identifier(table)}
      where occurred_at >= {fromMs:DateTime64(3, 'UTC')} and occurred_at <= {toMs:DateTime64(3, 'UTC')}
        and source_batch != {batch:String} and event_id in {ids:Array(String)}`,
  }),
})
