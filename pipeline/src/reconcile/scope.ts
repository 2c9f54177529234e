import { type Clock, TOPICS, type Topic } from '@endcap/contracts'
import { MAX_INSTANT_MS } from '@endcap/platform/clickhouse'
import type { EventLog } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { ingestedThrough } from '../ingest/progress.js'
import { DAY_MS, dayOf, HOUR_MS, hourOf } from './hours.js'
import { offsetAt } from './offset-at.js'

/** What of the stores is compared, so that what is still on its way is on neither side. */
export interface Scope {
  /** Events that occurred from here on, the start of an hour (of a UTC day where everything is compared). */
  readonly sinceMs: number
  /** Charges that were billed before this are in ClickHouse, if nothing is wrong. */
  readonly billedBeforeMs: number
  /** Rollups are compared up to here, whole hours and whole UTC days. */
  readonly hoursBeforeMs: number
  readonly daysBeforeMs: number
  /** Nothing is on its way: a comparison that fails has failed. Otherwise an hour may be receiving events, and it is asked again. */
  readonly settled: boolean
  /** Where reading a partition of the log begins. */
  firstOf(topic: Topic, partition: number, first: bigint): Promise<bigint>
  /** Up to which offset ingest had stored each partition of a topic when the comparison began. */
  ingestedOf(topic: Topic): ReadonlyMap<number, bigint>
}

export interface ScopeDeps {
  readonly postgres: Postgres
  readonly log: EventLog
  readonly clock: Clock
}

/** ClickHouse keeps raw rows for 13 months: what is compared with them is at most this old. */
const COMPARED_DAYS = 365
/** A charge is stamped when its transaction begins and seen when it commits; clocks of processes differ a little. */
const MARGIN_MS = 60_000
/** Slots and orders that the events of an hour depend on, or that carry a time ahead of their record's. */
const WARM_UP_MS = 26 * HOUR_MS

export interface ScopeOptions {
  /** Nothing is on its way. */
  readonly settled: boolean
  /** Compare so many hours back only; undefined: everything. */
  readonly lastHours?: number | undefined
}

/** What can be compared now. Offsets are taken here: what is stored later takes no part. */
export async function takeScope(deps: ScopeDeps, { settled, lastHours }: ScopeOptions): Promise<Scope> {
  const nowMs = deps.clock()
  const billedBeforeMs = settled ? MAX_INSTANT_MS : (await oldestOnItsWay(deps, nowMs)) - MARGIN_MS
  const progress = await ingestedThrough(deps.log)
  const sinceMs =
    lastHours === undefined ? dayOf(nowMs) - COMPARED_DAYS * DAY_MS : hourOf(nowMs) - lastHours * HOUR_MS
  return {
    sinceMs,
    billedBeforeMs,
    hoursBeforeMs: settled ? MAX_INSTANT_MS : hourOf(billedBeforeMs),
    daysBeforeMs: settled ? MAX_INSTANT_MS : dayOf(billedBeforeMs),
    settled,
    firstOf: async (topic, partition, first) =>
      lastHours === undefined ? first : offsetAt(deps.log, topic, partition, sinceMs - WARM_UP_MS),
    ingestedOf: (topic) =>
      new Map(progress.flatMap((each) => (each.topic === topic ? [[each.partition, each.next]] : []))),
  }
}

/** When the oldest charge that is not in ClickHouse yet was billed; now when all are. */
async function oldestOnItsWay({ postgres, log }: ScopeDeps, nowMs: number): Promise<number> {
  const instants = [nowMs]
  // The outbox first: what leaves it meanwhile is seen in the log.
  const { rows } = await postgres.query<{ oldest: Date | null }>(
    'select min(created_at) as oldest from outbox where topic = $1',
    [TOPICS.charges],
  )
  if (rows[0]!.oldest) instants.push(rows[0]!.oldest.getTime())
  for (const { topic, partition, next, lag } of await ingestedThrough(log)) {
    if (topic !== TOPICS.charges || lag <= 0n) continue
    for await (const [record] of log.read(topic, partition, next, next + 1n)) {
      const receivedAtMs = receivedAtOf(record?.value ?? null)
      instants.push(Number.isNaN(receivedAtMs) ? (record?.appendedAtMs ?? nowMs) : receivedAtMs)
    }
  }
  return Math.min(...instants)
}

function receivedAtOf(value: string | null): number {
  try {
    return Date.parse((JSON.parse(value ?? '') as { receivedAt?: string }).receivedAt ?? '')
  } catch {
    return Number.NaN
  }
}
