import type { ClickHouse } from '@endcap/platform/clickhouse'
import { type Check, checkOf } from './check.js'
import { dayOf, printDay, printHour } from './hours.js'
import type { PrintAmounts } from './print-amounts.js'
import type { Scope } from './scope.js'
import { type SpendDeps, spendByCurrency } from './spend-by-currency.js'
import {
  byDay,
  byHour,
  type PerformanceTotals,
  type SpendByMerchant,
  spendByMerchant,
} from './store/rollup-checks.js'

type Period = Pick<Scope, 'sinceMs' | 'hoursBeforeMs' | 'daysBeforeMs'>

/** Each hour of the rollup by the minute, and each day of the daily one, beside the raw rows that it adds up. */
export async function checkRollups(deps: SpendDeps, period: Period, print: PrintAmounts): Promise<Check> {
  const { hours, unlike } = await compareRollups(deps.clickhouse, period)
  const { sinceMs, hoursBeforeMs: beforeMs } = period
  const spend = async (query: SpendByMerchant) =>
    print(await spendByCurrency(deps, query, { sinceMs, beforeMs }))
  return checkOf(
    'rollup_equals_raw',
    `${printCounts(hours.rollup)}, spend ${await spend(spendByMerchant.minute)}`,
    `${printCounts(hours.raw)}, spend ${await spend(spendByMerchant.raw)}`,
    unlike,
  )
}

/** @returns the hours, and the names of hours and days in which a rollup does not say what the raw rows say */
export async function compareRollups(
  clickhouse: ClickHouse,
  { sinceMs, hoursBeforeMs, daysBeforeMs }: Period,
): Promise<{ readonly hours: Compared; readonly unlike: readonly string[] }> {
  const read = async (queries: typeof byHour, fromMs: number, beforeMs: number) => ({
    raw: fromMs < beforeMs ? await clickhouse.query(queries.raw, { sinceMs: fromMs, beforeMs }) : [],
    rollup: fromMs < beforeMs ? await clickhouse.query(queries.rollup, { sinceMs: fromMs, beforeMs }) : [],
  })
  const hours = await read(byHour, sinceMs, hoursBeforeMs)
  // The day in which the period begins takes part as a whole only.
  const firstDayMs = dayOf(sinceMs) === sinceMs ? sinceMs : dayOf(sinceMs) + 86_400_000
  const days = await read(byDay, firstDayMs, daysBeforeMs)
  const unlike = [
    ...differing(hours).map(printHour),
    ...differing(days).map((startMs) => `${printDay(startMs)} (by day)`),
  ]
  return { hours, unlike }
}

interface Compared {
  readonly raw: readonly PerformanceTotals[]
  readonly rollup: readonly PerformanceTotals[]
}

/** The starts of the hours or days whose totals differ, or those of some campaign. */
function differing({ raw, rollup }: Compared): number[] {
  const [left, right] = [raw, rollup].map(
    (rows) =>
      new Map(
        rows.map((row) => [row.startMs, `${printCounts([row])}, ${row.spendMicros} (${row.checksum})`]),
      ),
  ) as [Map<number, string>, Map<number, string>]
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((startMs) => left.get(startMs) !== right.get(startMs))
    .sort((a, b) => a - b)
}

function printCounts(rows: readonly PerformanceTotals[]): string {
  const count = (
    field: 'impressions' | 'viewableImpressions' | 'clicks' | 'invalidImpressions' | 'invalidClicks',
  ) => rows.reduce((total, row) => total + row[field], 0)
  return (
    `impressions ${count('impressions')}, viewable ${count('viewableImpressions')}, clicks ${count('clicks')}, ` +
    `invalid ${count('invalidImpressions')} + ${count('invalidClicks')}`
  )
}
