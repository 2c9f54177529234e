import { type Clock, type IdSource, newEvent, type TickEvent, TOPICS } from '@endcap/contracts'
import { type EventLog, partitionOf } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { appendEventsToOutbox, outboxKeys } from '@endcap/storage/postgres'
import { BILLING_CONSUMER } from './bill-records.js'
import { isTick } from './read-interaction.js'
import { type OverdueWaits, overdueWaits } from './store/waiting-clicks.js'

export interface WriteTicksDeps {
  readonly log: EventLog
  readonly postgres: Postgres
  readonly clock: Clock
  readonly ids: IdSource
}

/**
 * How long after a waiting click's deadline, by the clock, its partition gets a tick; and how long the log must have been there, seen by
 * the process that writes it, so that impressions that were kept back while it was away come first.
 */
export const TICK_AFTER_MS = 60_000
/** With more records than this before it, billing has other work: what they say moves the time as well. */
const MOST_UNBILLED = 10_000
const LEADER = 'billing-ticks'
const TOPIC = TOPICS.interactions

/**
 * Puts a tick into each partition in which a click has waited too long by the clock while the log's own time stood still. A tick says the
 * deadline that has passed and not what the clock shows: a wrong clock may end a wait early, but cannot take the log's time years ahead.
 *
 * At most one is on its way to billing in a partition, however many processes do this: none is written while one waits in the outbox, or in
 * the log where billing has not come yet.
 *
 * @returns how many were written
 */
export function createWriteTicks({ log, postgres, clock, ids }: WriteTicksDeps) {
  /** Since when the log has been there, as far as this process has seen: what was before it started, nobody knows. */
  let thereSinceMs: number | undefined

  return async function writeTicks(): Promise<number> {
    await rangesNow()
    if ((await overdue()).length === 0 || clock() - thereSinceMs! < TICK_AFTER_MS) return 0
    return (await postgres.withLeadership(LEADER, writeWhereOverdue)) ?? 0
  }

  async function rangesNow() {
    try {
      const ranges = await log.ranges(TOPIC)
      thereSinceMs ??= clock()
      return ranges
    } catch (error) {
      thereSinceMs = undefined
      throw error
    }
  }

  function overdue(): Promise<readonly OverdueWaits[]> {
    return overdueWaits(postgres, { consumer: BILLING_CONSUMER, topic: TOPIC }, clock() - TICK_AFTER_MS)
  }

  async function writeWhereOverdue(): Promise<number> {
    // In this order: a tick that has left the outbox by now is found in the log, or has had its effect.
    const inOutbox = await outboxKeys(postgres, TOPIC)
    const waits = await overdue()
    const ranges = await rangesNow()
    const ticks: TickEvent[] = []
    for (const { partition, deadlineMs, next } of waits) {
      const range = ranges.find((each) => each.partition === partition)
      if (!range) continue
      const key = keyOf(partition, ranges.length)
      if (inOutbox.has(key) || (await isMovedOn({ partition, next }, range.end))) continue
      ticks.push(tickOf(key, deadlineMs))
    }
    await postgres.transaction((tx) => appendEventsToOutbox(tx, TOPIC, ticks))
    return ticks.length
  }

  /** Whether what billing has yet to read moves the time without another tick. */
  async function isMovedOn(
    { partition, next }: Pick<OverdueWaits, 'partition' | 'next'>,
    end: bigint,
  ): Promise<boolean> {
    if (end <= next) return false
    if (end - next > MOST_UNBILLED) return true
    for await (const records of log.read(TOPIC, partition, next, end)) if (records.some(isTick)) return true
    return false
  }

  function tickOf(key: string, deadlineMs: number): TickEvent {
    return newEvent('tick', {
      id: ids('event'),
      occurredAtMs: deadlineMs,
      receivedAtMs: clock(),
      source: 'billing',
      key,
      data: {},
    })
  }
}

/** A key whose records go to this partition. No merchant's: where a topic was given more partitions, theirs may go elsewhere by now. */
function keyOf(partition: number, partitions: number): string {
  for (let n = 0; ; n++) {
    const key = `tick-${n}`
    if (partitionOf(key, partitions) === partition) return key
  }
}
