import { type Clock, TOPICS } from '@endcap/contracts'
import { type ClickHouse, toDateTime64 } from '@endcap/platform/clickhouse'
import type { EventLog, LogRecord } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { attributeRange, CLICK_WINDOW_DAYS } from '../attribution/attribute-range.js'
import { INGESTED_TOPICS, type IngestedTopic, planOf } from '../ingest/plans.js'
import { ingestedThrough } from '../ingest/progress.js'
import { createDropDuplicatesStep } from '../ingest/steps/drop-duplicates.js'
import { createEncodeEventStep, type EncodedEvent } from '../ingest/steps/encode-event.js'
import { createInsertRowsStep } from '../ingest/steps/insert-rows.js'
import { createReadEventStep } from '../ingest/steps/read-event.js'
import { RECONCILIATION } from '../reconcile/beside-nobody.js'
import { DAY_MS, dayOf, HOUR_MS, hourOf } from '../reconcile/hours.js'
import { offsetAt } from '../reconcile/offset-at.js'
import { compareRollups } from '../reconcile/rollup-checks.js'
import { STORED_BY_THEN } from '../reconcile/store/event-checks.js'
import { rebuildRollup } from './rebuild-rollups.js'

export interface RepairDeps {
  readonly postgres: Postgres
  readonly clickhouse: ClickHouse
  readonly log: EventLog
  readonly clock: Clock
}

export interface RepairOptions {
  readonly fromMs: number
  /** Exclusive. */
  readonly toMs: number
  /** Names this repair; no other may have had the name. */
  readonly runId: string
  /** Records of the log read so far, of all. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface Repaired {
  /** Whole hours (RFC 3339): what was asked for, rounded outwards. */
  readonly from: string
  readonly to: string
  /** Rows stored, by table. */
  readonly rows: Readonly<Record<string, number>>
  /** Topics whose log does not reach back so far: their rows were left as they are. */
  readonly leftAlone: readonly string[]
}

/** It cannot be done, or not now; nothing was changed, or running it again mends what is unfinished. */
export class RepairError extends Error {
  override readonly name = 'RepairError'
}

const TABLES: Readonly<Record<IngestedTopic, readonly string[]>> = {
  [TOPICS.auctions]: ['auction_slots_v1', 'auctions_v1'],
  [TOPICS.interactions]: ['interactions_v1'],
  [TOPICS.orders]: ['order_lines_v1'],
  [TOPICS.charges]: ['charges_v1', 'free_verdicts_v1'],
}

/** Raw rows expire after 13 months; younger than this they are all there. */
const MAX_AGE_DAYS = 365
/** No record carries a time so far ahead of its own, but for orders, whose log is read from its start. */
const AHEAD_MS = 26 * HOUR_MS
const MOST_ROLLUP_TRIES = 5

/**
 * Rebuilds whole hours of ClickHouse from the log: deletes the raw rows of each hour and stores them again by ingest's own steps, then
 * makes the rollups anew from the raw rows: by the minute for these hours, by the day for the UTC days that they touch. Run again, it
 * leaves the same; stopped anywhere, running it again mends what is unfinished.
 *
 * Ingest may be at work: what it stores after the repair began is left alone, and the rollups are made again until they equal the raw
 * rows. Never two repairs at a time, and none beside a comparison.
 *
 * @throws RepairError when it cannot be done
 */
export async function repairClickHouse(deps: RepairDeps, options: RepairOptions): Promise<Repaired> {
  const nowMs = deps.clock()
  const [fromMs, toMs] = [hourOf(options.fromMs), hourOf(options.toMs + HOUR_MS - 1)]
  if (toMs <= fromMs) throw new RepairError('the period is empty')
  if (fromMs < nowMs - MAX_AGE_DAYS * DAY_MS)
    throw new RepairError(`the period must begin at most ${MAX_AGE_DAYS} days ago: older raw rows expire`)
  const repaired = await deps.postgres.withLeadership(RECONCILIATION, () =>
    repairHours(deps, { ...options, fromMs, toMs }, nowMs),
  )
  if (!repaired)
    throw new RepairError('another repair or a comparison is at work: try again when it has ended')
  return repaired
}

interface Reading {
  readonly topic: IngestedTopic
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

async function repairHours(
  deps: RepairDeps,
  { fromMs, toMs, runId, onProgress = () => {} }: RepairOptions,
  nowMs: number,
): Promise<Repaired> {
  const { clickhouse, log } = deps
  const progress = await ingestedThrough(log)
  const readings = new Map<IngestedTopic, readonly Reading[]>()
  for (const topic of INGESTED_TOPICS) {
    const of = await readingsOf(log, topic, fromMs, progress)
    if (of) readings.set(topic, of)
  }
  if (readings.size === 0) throw new RepairError('the log does not reach back so far')

  const rows: Record<string, number> = {}
  const total = [...readings.values()].flat().reduce((sum, { from, to }) => sum + Number(to - from), 0)
  let done = 0
  const onRecords = (records: number) => {
    done += records
    onProgress(done, total)
  }
  onProgress(0, total)
  const insertRows = createInsertRowsStep({
    clickhouse,
    now: deps.clock,
    onInsert: (table, count) => {
      rows[table] = (rows[table] ?? 0) + count
    },
  })
  for (const [topic, of] of readings) {
    await deleteRows(clickhouse, topic, fromMs, toMs, of)
    for (const reading of of) await storeAgain(deps, reading, { fromMs, toMs, runId, insertRows, onRecords })
  }
  await rebuildRollups(clickhouse, fromMs, toMs)
  const attributedUntil = Math.min(toMs + CLICK_WINDOW_DAYS * DAY_MS, nowMs + HOUR_MS)
  if (attributedUntil > fromMs) await attributeRange(clickhouse, new Date(fromMs), new Date(attributedUntil))
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    rows,
    leftAlone: INGESTED_TOPICS.filter((topic) => !readings.has(topic)).map((topic) => topic.split('.')[1]!),
  }
}

/** What must be read to have all events of the period; undefined when the log no longer holds them all. */
async function readingsOf(
  log: EventLog,
  topic: IngestedTopic,
  fromMs: number,
  progress: Awaited<ReturnType<typeof ingestedThrough>>,
): Promise<readonly Reading[] | undefined> {
  const readings: Reading[] = []
  for (const { partition, first } of await log.ranges(topic)) {
    const reached = await offsetAt(log, topic, partition, fromMs - AHEAD_MS)
    if (first > 0n && (topic === TOPICS.orders || reached === first)) return undefined
    const to = progress.find((each) => each.topic === topic && each.partition === partition)?.next ?? first
    readings.push({ topic, partition, from: topic === TOPICS.orders ? first : reached, to })
  }
  return readings
}

/** Deletes the rows of the period that ingest had stored by then, and any whose name says nothing of the log. */
async function deleteRows(
  clickhouse: ClickHouse,
  topic: IngestedTopic,
  fromMs: number,
  toMs: number,
  readings: readonly Reading[],
): Promise<void> {
  for (const table of TABLES[topic]) {
    await clickhouse.command(
      `delete from ${table}
       where occurred_at >= {from:DateTime64(3, 'UTC')} and occurred_at < {to:DateTime64(3, 'UTC')} and ${STORED_BY_THEN}`,
      {
        from: toDateTime64(fromMs),
        to: toDateTime64(toMs),
        partitions: readings.map(({ partition }) => partition),
        nexts: readings.map(({ to }) => to),
      },
    )
  }
}

interface StoreAgain {
  readonly fromMs: number
  readonly toMs: number
  readonly runId: string
  readonly insertRows: (events: readonly EncodedEvent[], token: string) => Promise<void>
  readonly onRecords: (records: number) => void
}

async function storeAgain(
  { clickhouse, log }: RepairDeps,
  { topic, partition, from, to }: Reading,
  { fromMs, toMs, runId, insertRows, onRecords }: StoreAgain,
): Promise<void> {
  if (to <= from) return
  const plan = planOf(topic)
  const readEvent = createReadEventStep(plan)
  const encodeEvent = createEncodeEventStep(plan)
  const dropDuplicates = createDropDuplicatesStep({ clickhouse }, plan)
  let waiting: { readonly record: LogRecord; readonly event: Parameters<typeof encodeEvent>[0] }[] = []

  async function store(): Promise<void> {
    if (waiting.length === 0) return
    const offsets = `${waiting[0]!.record.offset}-${waiting.at(-1)!.record.offset}`
    // A name of its own: the one that ingest gave these rows is remembered, and would make them a repetition.
    const batch = `${topic}:${partition}:${offsets}:repair-${runId}`
    const encoded = waiting.flatMap(({ event }) => {
      const outcome = encodeEvent(event, batch)
      return outcome.kind === 'ok' ? [outcome.value] : []
    })
    const judged = await dropDuplicates(encoded, batch)
    await insertRows(
      judged.flatMap((outcome) => (outcome.kind === 'ok' ? [outcome.value] : [])),
      batch,
    )
    waiting = []
  }

  for await (const records of log.read(topic, partition, from, to)) {
    for (const record of records) {
      const event = readEvent(record)
      if (event.kind !== 'ok') continue
      const occurredAtMs = Date.parse(event.value.occurredAt)
      if (!(occurredAtMs >= fromMs && occurredAtMs < toMs)) continue
      waiting.push({ record, event: event.value })
      if (waiting.length === plan.recordsPerInsert) await store()
    }
    onRecords(records.length)
  }
  await store()
}

/** Rebuilds until the rollups equal the raw rows: ingest may store into these hours meanwhile. */
async function rebuildRollups(clickhouse: ClickHouse, fromMs: number, toMs: number): Promise<void> {
  const [firstDayMs, lastDayMs] = [dayOf(fromMs), dayOf(toMs - 1) + DAY_MS]
  for (let tries = 1; ; tries++) {
    await rebuildRollup(clickhouse, 'minute', fromMs, toMs)
    await rebuildRollup(clickhouse, 'day', firstDayMs, lastDayMs)
    const hours = await compareRollups(clickhouse, { sinceMs: fromMs, hoursBeforeMs: toMs, daysBeforeMs: 0 })
    const days = await compareRollups(clickhouse, {
      sinceMs: firstDayMs,
      hoursBeforeMs: 0,
      daysBeforeMs: lastDayMs,
    })
    if (hours.unlike.length + days.unlike.length === 0) return
    if (tries === MOST_ROLLUP_TRIES)
      throw new RepairError('events keep arriving in these hours: stop the pipeline, or try again later')
  }
}
