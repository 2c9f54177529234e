import { TOPICS } from '@endcap/contracts'
import { type ClickHouse, countCell, defineQuery } from '@endcap/platform/clickhouse'
import type { EventLog, LogRecord } from '@endcap/platform/event-log'
import { z } from 'zod'
import { INGESTED_TOPICS, type IngestedTopic, planOf, type TopicPlan } from '../ingest/plans.js'
import { createEncodeEventStep } from '../ingest/steps/encode-event.js'
import { createReadEventStep } from '../ingest/steps/read-event.js'

/** Order events and their lines: a line is a row. */
const orderLineCounts = defineQuery({
  name: 'reconcile.order_line_counts',
  params: z.object({}),
  row: z.object({ rows: countCell, lines: countCell, ids: countCell }),
  sql: 'select count() as rows, uniqExact(event_id, line_id) as lines, uniqExact(event_id) as ids from order_lines_v1',
})

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
  for (const topic of INGESTED_TOPICS) {
    const eventId = createEventId(planOf(topic))
    const ids = new Set<string>()
    let complete = true
    for (const { partition, first, end } of await log.ranges(topic)) {
      if (first > 0n) complete = false
      for await (const records of log.read(topic, partition, first, end)) {
        for (const record of records) {
          const id = eventId(record)
          if (id !== undefined) ids.add(id)
        }
        onRecords(records.length)
      }
    }
    counts.push({
      name: topic.split('.')[1]!,
      inLog: ids.size,
      complete,
      ...(await countStored(clickhouse, topic)),
    })
  }
  return counts
}

async function countStored(clickhouse: ClickHouse, topic: IngestedTopic) {
  if (topic === TOPICS.orders) {
    const [counts] = await clickhouse.query(orderLineCounts, {})
    return { rows: counts!.rows, distinctRows: counts!.lines, ids: counts!.ids }
  }
  const [counts] = await clickhouse.query(planOf(topic).reads.counts, {})
  return { rows: counts!.rows, distinctRows: counts!.ids, ids: counts!.ids }
}

/** The id of a record that ingest takes for an event, by ingest's own steps. */
function createEventId(plan: TopicPlan): (record: LogRecord) => string | undefined {
  const readEvent = createReadEventStep(plan)
  const encodeEvent = createEncodeEventStep(plan)
  return (record) => {
    const event = readEvent(record)
    return event.kind === 'ok' && encodeEvent(event.value, '').kind === 'ok' ? event.value.id : undefined
  }
}

/** How many records {@link countEvents} will read. */
export async function recordsToCount(log: EventLog): Promise<number> {
  let total = 0n
  for (const topic of INGESTED_TOPICS) {
    for (const { first, end } of await log.ranges(topic)) total += end - first
  }
  return Number(total)
}
