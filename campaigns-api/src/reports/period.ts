import { canonicalTimeZone, type FieldError, type ReportQuery } from '@endcap/contracts'

/** The instants that a report covers, `toMs` exclusive. */
export interface Period {
  readonly fromMs: number
  readonly toMs: number
  /** The one spelling of the zone that ClickHouse knows too. */
  readonly timeZone: string
  /** Whole UTC days, so that the daily rollup answers exactly. */
  readonly wholeUtcDays: boolean
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const EARLIEST_MS = Date.UTC(2000, 0, 1)
const LATEST_MS = Date.UTC(2100, 0, 1)

/**
 * The period of a report. Rollups are by the minute, so `from` is rounded down and `to` up to whole minutes, for every metric alike.
 */
export function periodOf({ from, to, timeZone }: Pick<ReportQuery, 'from' | 'to' | 'timeZone'>): Period {
  const fromMs = Math.floor(Date.parse(from) / MINUTE_MS) * MINUTE_MS
  const toMs = Math.ceil(Date.parse(to) / MINUTE_MS) * MINUTE_MS
  const canonical = canonicalTimeZone(timeZone)
  return {
    fromMs,
    toMs,
    timeZone: canonical,
    wholeUtcDays: canonical === 'UTC' && fromMs % DAY_MS === 0 && toMs % DAY_MS === 0,
  }
}

export function periodProblems({ fromMs, toMs }: Pick<Period, 'fromMs' | 'toMs'>): FieldError[] {
  const outside = (instantMs: number) => !(instantMs >= EARLIEST_MS && instantMs <= LATEST_MS)
  const message = 'must lie between the years 2000 and 2100'
  return [
    ...(outside(fromMs) ? [{ path: '/from', message }] : []),
    ...(outside(toMs) ? [{ path: '/to', message }] : []),
  ]
}
