import { formatMoney, sumMicros } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import { type Check, checkOf } from './check.js'
import { dayOf, printDay, printHour } from './hours.js'
import type { Scope } from './scope.js'
import { byDay, byHour, type PerformanceTotals } from './store/rollup-checks.js'

/** Each hour of the rollup by the minute, and each day of the daily one, beside the raw rows that it adds up. */
export async function checkRollups(
  clickhouse: ClickHouse,
  { sinceMs, hoursBeforeMs, daysBeforeMs }: Pick<Scope, 'sinceMs' | 'hoursBeforeMs' | 'daysBeforeMs'>,
): Promise<Check> {
  const read = async (queries: typeof byHour, fromMs: number, beforeMs: number) => ({
    raw: fromMs < beforeMs ? await clickhouse.query(queries.raw, { sinceMs: fromMs, beforeMs }) : [],
    rollup: fromMs < beforeMs ? await clickhouse.query(queries.rollup, { sinceMs: fromMs, beforeMs }) : [],
  })
  const hours = await read(byHour, sinceMs, hoursBeforeMs)
  // The day in which the period begins takes part as a whole only.
  const firstDayMs = dayOf(sinceMs) === sinceMs ? sinceMs : dayOf(sinceMs) + 86_400_000
  const days = await read(byDay, firstDayMs, daysBeforeMs)
  const wrong = [
    ...differing(hours).map(printHour),
    ...differing(days).map((startMs) => `${printDay(startMs)} (by day)`),
  ]
  return checkOf('rollup_equals_raw', printTotals(hours.rollup), printTotals(hours.raw), wrong)
}

interface Compared {
  readonly raw: readonly PerformanceTotals[]
  readonly rollup: readonly PerformanceTotals[]
}

/** The starts of the hours or days whose totals differ, or those of some campaign. */
function differing({ raw, rollup }: Compared): number[] {
  const [left, right] = [raw, rollup].map(
    (rows) => new Map(rows.map((row) => [row.startMs, `${printTotals([row])} ${row.checksum}`])),
  ) as [Map<number, string>, Map<number, string>]
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((startMs) => left.get(startMs) !== right.get(startMs))
    .sort((a, b) => a - b)
}

function printTotals(rows: readonly PerformanceTotals[]): string {
  const count = (
    field: 'impressions' | 'viewableImpressions' | 'clicks' | 'invalidImpressions' | 'invalidClicks',
  ) => rows.reduce((total, row) => total + row[field], 0)
  return (
    `impressions ${count('impressions')}, viewable ${count('viewableImpressions')}, clicks ${count('clicks')}, ` +
    `invalid ${count('invalidImpressions')} + ${count('invalidClicks')}, ` +
    `spend ${formatMoney(sumMicros(rows.map(({ spendMicros }) => spendMicros)))}`
  )
}
