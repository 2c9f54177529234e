import type { Clock } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import { attributionProgressTable, eventsThrough } from '@endcap/storage/clickhouse'
import { createPeriodicJob } from '../periodic/periodic-job.js'
import { attributeRange, CLICK_WINDOW_DAYS } from './attribute-range.js'

export interface AttributionDeps {
  readonly clickhouse: ClickHouse
  readonly clock: Clock
  readonly logger: Logger
  /** Default 15 s. */
  readonly everyMs?: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

export interface AttributionRange {
  /** When the orders were received; the end is exclusive. */
  readonly fromMs: number
  readonly toMs: number
  readonly nowMs: number
  /** What the run before has kept, if there was one. */
  readonly kept?: string | null
}

/**
 * Credits the orders received within a range, and keeps through which stored event orders are credited then: what was stored when this
 * began. Reports say it, and verification expects no more. The range must reach back to what no run before has credited.
 * @returns what is kept now
 * @throws ClickHouseError
 */
export async function attributeStored(
  clickhouse: ClickHouse,
  { fromMs, toMs, nowMs, kept }: AttributionRange,
): Promise<string | null> {
  const [stored] = await clickhouse.query(eventsThrough, {})
  const through = stored!.eventsThrough
  await attributeRange(clickhouse, new Date(fromMs), new Date(toMs))
  if (through !== null && through !== kept) {
    const run = { eventsThroughMs: Date.parse(through), runAtMs: nowMs }
    await clickhouse.insert(attributionProgressTable, [run], { token: `attribution:${nowMs}` })
  }
  return through
}

/**
 * Credits orders to touches, again and again for the orders of the last hour, so that touches which arrive after their order
 * still count; the first run after a start goes back over the whole window.
 */
export function createAttribution({ clickhouse, clock, logger, everyMs }: AttributionDeps): Component {
  let reachMs = CLICK_WINDOW_DAYS * DAY_MS
  let kept: string | null = null

  return createPeriodicJob({
    name: 'attribution',
    everyMs: everyMs ?? 15_000,
    logger,
    async run() {
      const nowMs = clock()
      // Other processes' clocks may be a little ahead of this one.
      const range = { fromMs: nowMs - reachMs, toMs: nowMs + HOUR_MS, nowMs }
      kept = await attributeStored(clickhouse, { ...range, kept })
      reachMs = HOUR_MS
    },
  })
}
