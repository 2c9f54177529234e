import { countCell, defineQuery, int64Cell } from '@endcap/platform/clickhouse'
import { z } from 'zod'

/**
 * The rollups that reports read: totals (`source_batch = ''`) and, beside them, receipts that count nothing (see migration 0009). Fed by
 * materialized views, and by the pipeline where a fault has taken what they stored.
 */
export const PERFORMANCE_TABLES = { minute: 'performance_minute_v1', day: 'performance_day_v1' } as const

const totals = (table: string) =>
  defineQuery({
    name: `${table}.totals`,
    params: z.object({}),
    row: z.object({
      impressions: countCell,
      viewableImpressions: countCell,
      clicks: countCell,
      invalidImpressions: countCell,
      invalidClicks: countCell,
      spendMicros: int64Cell,
    }),
    sql: `select sum(impressions) as impressions, sum(viewable_impressions) as viewableImpressions, sum(clicks) as clicks,
        sum(invalid_impressions) as invalidImpressions, sum(invalid_clicks) as invalidClicks, sum(spend_micros) as spendMicros
      from ${table}`,
  })

/** Everything that the rollups counted, for recounts against the raw tables. */
export const performanceMinuteTotals = totals(PERFORMANCE_TABLES.minute)
export const performanceDayTotals = totals(PERFORMANCE_TABLES.day)
