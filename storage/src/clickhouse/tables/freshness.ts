import { defineQuery, defineTable, toDateTime64 } from '@endcap/platform/clickhouse'
import { z } from 'zod'

const TABLES = ['auctions_v1', 'interactions_v1', 'charges_v1', 'order_lines_v1'] as const

/**
 * When the newest stored event was received. Only the last day that a table holds is looked at: its end is known without
 * reading a row, and what came later than that is not older.
 */
export const eventsThrough = defineQuery({
  name: 'freshness.events_through',
  params: z.object({}),
  row: z.object({ eventsThrough: z.string().nullable() }),
  sql: `select max(through) as eventsThrough from (
    ${TABLES.map(
      (table) => `select maxOrNull(received_at) as through from ${table}
    where toStartOfHour(occurred_at) >= (select toStartOfHour(max(occurred_at)) from ${table}) - toIntervalDay(1)`,
    ).join('\n    union all\n    ')}
  )`,
})

/** A run of attribution: it saw all that was stored when it began. */
export interface AttributionRun {
  readonly eventsThroughMs: number
  readonly runAtMs: number
}

export const attributionProgressTable = defineTable<AttributionRun>({
  name: 'attribution_progress_v1',
  columns: {
    name: () => 'last_touch',
    events_through: ({ eventsThroughMs }) => toDateTime64(eventsThroughMs),
    run_at: ({ runAtMs }) => toDateTime64(runAtMs),
  },
})

/** Through which stored event orders have been attributed; null before the first run. */
export const attributedThrough = defineQuery({
  name: 'freshness.attributed_through',
  params: z.object({}),
  row: z.object({ attributedThrough: z.string().nullable() }),
  sql: `select maxOrNull(events_through) as attributedThrough from attribution_progress_v1 final`,
})
