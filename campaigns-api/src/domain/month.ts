import { localTime } from '@endcap/contracts'

/** [fromMs, toMs) of a calendar month. */
export interface MonthBounds {
  readonly fromMs: number
  readonly toMs: number
}

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** No zone is further from UTC. */
const WIDEST_OFFSET_MS = 15 * HOUR_MS

/** The calendar month of an instant in a time zone: 'YYYY-MM'. */
export const monthOf = (instantMs: number, timeZone: string): string =>
  localTime(instantMs, timeZone).date.slice(0, 7)

/** The month after. */
export function nextMonth(month: string): string {
  const [year, number] = month.split('-').map(Number) as [number, number]
  return number === 12 ? `${year + 1}-01` : `${year}-${String(number + 1).padStart(2, '0')}`
}

/** The instants of a month ('YYYY-MM') by the wall clock of a time zone. */
export const monthBounds = (month: string, timeZone: string): MonthBounds => ({
  fromMs: startOfMonth(month, timeZone),
  toMs: startOfMonth(nextMonth(month), timeZone),
})

/** The months from one to another, both included, in order. */
export function monthsBetween(first: string, last: string): readonly string[] {
  const months: string[] = []
  for (let month = first; month <= last; month = nextMonth(month)) months.push(month)
  return months
}

/** The first minute whose local date lies in the month; local dates never go back across a month's start. */
function startOfMonth(month: string, timeZone: string): number {
  const utc = Date.parse(`${month}-01T00:00:00Z`)
  let [before, start] = [utc - WIDEST_OFFSET_MS, utc + WIDEST_OFFSET_MS]
  while (start - before > MINUTE_MS) {
    const middle = before + Math.floor((start - before) / 2 / MINUTE_MS) * MINUTE_MS
    if (monthOf(middle, timeZone) < month) before = middle
    else start = middle
  }
  return start
}
