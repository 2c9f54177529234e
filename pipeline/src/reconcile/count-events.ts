import {
  auctionEvent,
  chargeEvent,
  interactionEvent,
  orderEvent,
  TOPICS,
  type Topic,
} from '@endcap/contracts'
import {
  auctionReads,
  type ClickHouse,
  chargeReads,
  countCell,
  defineQuery,
  interactionReads,
} from '@endcap/platform/clickhouse'
import type { EventLog } from '@endcap/platform/event-log'
import { z } from 'zod'

/** Order events and their lines: a line is a row. */
const orderLineCounts = defineQuery({
  name: 'reconcile.order_line_counts',
  params: z.object({}),
  row: z.object({ rows: countCell, lines: countCell, ids: countCell }),
  sql: 'select count() as rows, uniqExact(event_id, line_id) as lines, uniqExact(event_id) as ids from order_lines_v1',
})

interface StoredTopic {
  readonly name: string
  readonly topic: Topic
  readonly schema: z.ZodType<{ readonly id: string }>
  /** Rows, and what of them is distinct: equal when nothing is stored twice. */
  readonly stored: (clickhouse: ClickHouse) => Promise<{ rows: number; distinctRows: number; ids: number }>
}

const rowPerEvent = (reads: typeof auctionReads) => async (clickhouse: ClickHouse) => {
  const [counts] = await clickhouse.query(reads.counts, {})
  return { rows: counts!.rows, distinctRows: counts!.ids, ids: counts!.ids }
}

const STORED_TOPICS: readonly StoredTopic[] = [
  { name: 'auctions', topic: TOPICS.auctions, schema: auctionEvent, stored: rowPerEvent(auctionReads) },
  {
    name: 'interactions',
    topic: TOPICS.interactions,
    schema: interactionEvent,
    stored: rowPerEvent(interactionReads),
  },
  {
    name: 'orders',
    topic: TOPICS.orders,
    schema: orderEvent,
    async stored(clickhouse) {
      const [counts] = await clickhouse.query(orderLineCounts, {})
      return { rows: counts!.rows, distinctRows: counts!.lines, ids: counts!.ids }
    },
  },
  { name: 'charges', topic: TOPICS.charges, schema: chargeEvent, stored: rowPerEvent(chargeReads) },
]

export interface EventCount {
  readonly name: string
  /** Distinct events in the log; records that are no events are dead letters and are not counted. */
  readonly inLog: number
  /** False when the log's retention has removed its beginning. */
  readonly complete: boolean
  readonly rows: number
  readonly distinctRows: number
  readonly ids: number
}

/** Distinct events of each topic in the log beside what ClickHouse holds of them. */
export async function countEvents(
  { log, clickhouse }: { readonly log: EventLog; readonly clickhouse: ClickHouse },
  onRecords: (records: number) => void = () => {},
): Promise<readonly EventCount[]> {
  const counts: EventCount[] = []
  for (const { name, topic, schema, stored } of STORED_TOPICS) {
    const ids = new Set<string>()
    let complete = true
    for (const { partition, first, end } of await log.ranges(topic)) {
      if (first > 0n) complete = false
      for await (const records of log.read(topic, partition, first, end)) {
        for (const { value } of records) {
          const id = eventId(schema, value)
          if (id !== undefined) ids.add(id)
        }
        onRecords(records.length)
      }
    }
    counts.push({ name, inLog: ids.size, complete, ...(await stored(clickhouse)) })
  }
  return counts
}

/** How many records {@link countEvents} will read. */
export async function recordsToCount(log: EventLog): Promise<number> {
  let total = 0n
  for (const { topic } of STORED_TOPICS) {
    for (const { first, end } of await log.ranges(topic)) total += end - first
  }
  return Number(total)
}

function eventId(schema: StoredTopic['schema'], value: string | null): string | undefined {
  if (value === null) return undefined
  try {
    return schema.safeParse(JSON.parse(value)).data?.id
  } catch {
    return undefined
  }
}
