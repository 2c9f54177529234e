import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import { type EventLog, type LogRange, type LogRecord, StaleConsumerError } from '@endcap/platform/event-log'
import { startSpanUnder, TRACE_HEADER } from '@endcap/platform/tracing'
import { appendDeadLetters, type DeadLetterDraft } from '../dead-letters/dead-letter.js'
import type { Outcome } from './outcome.js'
import { planOf, type TopicPlan } from './plans.js'
import { createDropDuplicatesStep } from './steps/drop-duplicates.js'
import { createEncodeEventStep, type EncodedEvent } from './steps/encode-event.js'
import { createInsertRowsStep } from './steps/insert-rows.js'
import { createMendRowsStep } from './steps/mend-rows.js'
import { createReadEventStep } from './steps/read-event.js'

export interface IngestRangeDeps {
  readonly log: EventLog
  readonly clickhouse: ClickHouse
  readonly clock: Clock
  readonly onInsert: (table: string, rows: number, seconds: number) => void
  /** Hears of each table whose share of a batch a fault had taken or doubled. */
  readonly onMended: (table: string, batch: string) => void
}

/** What became of the records of a range. */
export interface RangeCounts {
  stored: number
  duplicate: number
  /** Of a type that no table holds. */
  unstored: number
  deadLetter: number
}

type Range = Pick<LogRange, 'topic' | 'partition' | 'records' | 'again' | 'heartbeat' | 'isStale'>

/** Between slices of this many rows the event loop gets its turn: a search may be waiting in the same process. */
const ROWS_PER_TURN = 500

/**
 * Stores a range of the log: read → encode → drop duplicates → insert, then the dead letters. May run again with the same range
 * (marked `again`) any number of times, in several processes at once, and ends with the same rows stored once.
 * @throws ClickHouseError when ClickHouse is away; the range then comes again
 */
export function createIngestRange(deps: IngestRangeDeps): (range: Range) => Promise<RangeCounts> {
  const insertRows = createInsertRowsStep({
    clickhouse: deps.clickhouse,
    onInsert: deps.onInsert,
    now: deps.clock,
  })

  return async function ingestRange(range) {
    const plan = planOf(range.topic)
    const dropDuplicates = createDropDuplicatesStep(deps, plan)
    const mendRows = createMendRowsStep({ ...deps, insertRows }, plan)
    const counts: RangeCounts = { stored: 0, duplicate: 0, unstored: 0, deadLetter: 0 }
    const deadLetters: DeadLetterDraft[] = []
    for (let from = 0; from < range.records.length; from += plan.recordsPerInsert) {
      if (range.isStale())
        throw new StaleConsumerError(`${range.topic}:${range.partition} has another owner now`)
      const records = range.records.slice(from, from + plan.recordsPerInsert)
      const spans = records.flatMap(
        ({ headers }) =>
          startSpanUnder(headers[TRACE_HEADER], 'ingest record', { 'endcap.topic': range.topic }) ?? [],
      )
      // Each insert is a batch of its own: what an earlier one of this range has stored is a duplicate to it.
      const batch = `${range.topic}:${range.partition}:${records[0]!.offset}-${records.at(-1)!.offset}`
      const events: EncodedEvent[] = []
      for await (const { record, outcome } of encoded(plan, records, batch)) {
        if (outcome.kind === 'ok') events.push(outcome.value)
        if (outcome.kind === 'drop') counts.unstored++
        if (outcome.kind === 'deadLetter') {
          deadLetters.push({ topic: range.topic, partition: range.partition, record, ...outcome })
        }
      }
      const judged = await dropDuplicates(events, batch)
      const fresh = judged.flatMap((outcome) => (outcome.kind === 'ok' ? [outcome.value] : []))
      await (range.again ? mendRows : insertRows)(fresh, batch)
      counts.stored += fresh.length
      counts.duplicate += judged.length - fresh.length
      for (const span of spans) span.end()
      await range.heartbeat()
    }
    await appendDeadLetters(deps.log, deadLetters, deps.clock())
    counts.deadLetter = deadLetters.length
    return counts
  }
}

async function* encoded(
  plan: TopicPlan,
  records: readonly LogRecord[],
  batch: string,
): AsyncGenerator<{ record: LogRecord; outcome: Outcome<EncodedEvent> }> {
  const readEvent = createReadEventStep(plan)
  const encodeEvent = createEncodeEventStep(plan)
  let rows = 0
  for (const record of records) {
    const event = readEvent(record)
    const outcome = event.kind === 'ok' ? encodeEvent(event.value, batch) : event
    yield { record, outcome }
    rows += outcome.kind === 'ok' ? outcome.value.rows.reduce((sum, { lines }) => sum + lines.length, 0) : 1
    if (rows >= ROWS_PER_TURN) {
      rows = 0
      await nextTurn()
    }
  }
}
