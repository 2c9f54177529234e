import { type ClickHouse, toDateTime64 } from '@endcap/platform/clickhouse'
import { countPeriod, forgetPeriod, ROLLUPS, VIEWS } from '../rollups/index.js'

/**
 * Makes a rollup anew from the raw rows of a period, which must begin and end with one of its receipts' buckets (an hour, a UTC day).
 * Between the statements reports show less than there is.
 */
export async function rebuildRollup(
  clickhouse: ClickHouse,
  name: keyof typeof ROLLUPS,
  fromMs: number,
  toMs: number,
): Promise<void> {
  const rollup = ROLLUPS[name]
  const period = { from: toDateTime64(fromMs), to: toDateTime64(toMs) }
  await clickhouse.command(forgetPeriod(rollup), period)
  for (const view of Object.values(VIEWS)) {
    // The same rows may have been inserted by a repair before: that must not make them a repetition.
    await clickhouse.command(countPeriod(rollup, view), { ...period, times: 1 }, { insert_deduplicate: 0 })
  }
}
