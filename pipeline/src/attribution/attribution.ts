import type { Clock } from '@endcap/contracts'
import { attributionProgressTable, type ClickHouse, eventsThrough } from '@endcap/platform/clickhouse'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
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

/**
 * Credits orders to touches, again and again for the orders of the last hour, so that touches which arrive after their order
 * still count; the first run after a start goes back over the whole window.
 */
export function createAttribution({ clickhouse, clock, logger, everyMs }: AttributionDeps): Component {
  let reachMs = CLICK_WINDOW_DAYS * DAY_MS
  let kept: string | undefined

  /** Reports say how far attribution has come: through what was stored when the run began. */
  async function keepProgress(through: string | null, runAtMs: number): Promise<void> {
    if (through === null || through === kept) return
    const run = { eventsThroughMs: Date.parse(through), runAtMs }
    await clickhouse.insert(attributionProgressTable, [run], { token: `attribution:${runAtMs}` })
    kept = through
  }

  return createPeriodicJob({
    name: 'attribution',
    everyMs: everyMs ?? 15_000,
    logger,
    async run() {
      const nowMs = clock()
      const [stored] = await clickhouse.query(eventsThrough, {})
      // Other processes' clocks may be a little ahead of this one.
      await attributeRange(clickhouse, new Date(nowMs - reachMs), new Date(nowMs + HOUR_MS))
      reachMs = HOUR_MS
      await keepProgress(stored!.eventsThrough, nowMs)
    },
  })
}
