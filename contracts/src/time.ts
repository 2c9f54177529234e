import { Temporal } from 'temporal-polyfill'

// All rules of time zones, budget days, weeks and months. Instants are milliseconds since 1970, UTC; zones are IANA names.

/** Whether a name is an IANA time zone. Offsets such as '+02:00' are none, nor are the names that ICU adds ('BST', 'SystemV/EST5'). */
export function isTimeZone(name: string): boolean {
  if (/^(?:[+-]|systemv\/)/i.test(name)) return false
  try {
    inZone(0, name)
    return true
  } catch {
    return false
  }
}

/** The one spelling of a time zone that ClickHouse knows too. */
export const canonicalTimeZone = (timeZone: string): string =>
  new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone

export interface LocalTime {
  /** 'YYYY-MM-DD'. */
  readonly date: string
  /** 1 = Monday … 7 = Sunday. */
  readonly weekday: number
  /** 0 … 1439, by the wall clock. */
  readonly minuteOfDay: number
}

/**
 * The last answer of each zone. Offsets are whole minutes, so within a minute the answer is the same, and callers ask for one zone
 * thousands of times a second.
 */
const latest = new Map<string, { readonly minute: number; readonly local: LocalTime }>()

/** Wall-clock date, weekday and minute of an instant in a time zone. */
export function localTime(instantMs: number, timeZone: string): LocalTime {
  const minute = Math.floor(instantMs / MINUTE_MS)
  const known = latest.get(timeZone)
  if (known?.minute === minute) return known.local
  const zoned = inZone(instantMs, timeZone)
  const local = {
    date: zoned.toPlainDate().toString(),
    weekday: zoned.dayOfWeek,
    minuteOfDay: zoned.hour * 60 + zoned.minute,
  }
  latest.set(timeZone, { minute, local })
  return local
}

/** An instant as RFC 3339 by the wall clock: '2026-01-05T13:00:00+01:00'. Both hours of a clock change stay apart. */
export const localInstant = (instantMs: number, timeZone: string): string =>
  inZone(instantMs, timeZone)
    .toString({ timeZoneName: 'never', smallestUnit: 'second' })
    .replace(/\+00:00$/, 'Z')

/** The merchant's budget day that an instant belongs to: the calendar date in the merchant's time zone. */
export const budgetDay = (instantMs: number, timeZone: string): string => localTime(instantMs, timeZone).date

export interface BudgetDayBounds {
  readonly day: string
  /** Its first instant and the first one after it: 23, 24 or 25 hours apart, as the zone's clocks have it. */
  readonly startMs: number
  readonly endMs: number
}

/** The budget day that an instant belongs to, with its bounds. */
export function budgetDayBounds(instantMs: number, timeZone: string): BudgetDayBounds {
  const start = inZone(instantMs, timeZone).startOfDay()
  return {
    day: start.toPlainDate().toString(),
    startMs: start.epochMilliseconds,
    endMs: start.add({ days: 1 }).startOfDay().epochMilliseconds,
  }
}

/** The ISO week of a budget day, named by its Monday: 'week:YYYY-MM-DD'. */
export function budgetWeekOf(day: string): string {
  const date = Temporal.PlainDate.from(day)
  return `week:${date.subtract({ days: date.dayOfWeek - 1 }).toString()}`
}

/** The calendar month of a budget day: 'month:YYYY-MM'. */
export const budgetMonthOf = (day: string): string => `month:${day.slice(0, 7)}`

/** The calendar month of an instant in a time zone: 'YYYY-MM'. */
export const monthOf = (instantMs: number, timeZone: string): string =>
  localTime(instantMs, timeZone).date.slice(0, 7)

/** The months from one to another, both included, in order. */
export function monthsBetween(first: string, last: string): readonly string[] {
  const months: string[] = []
  for (let month = first; month <= last; month = nextMonth(month)) months.push(month)
  return months
}

/** [fromMs, toMs) of a calendar month. */
export interface MonthBounds {
  readonly fromMs: number
  readonly toMs: number
}

/** The instants of a month ('YYYY-MM') by the wall clock of a time zone. */
export const monthBounds = (month: string, timeZone: string): MonthBounds => ({
  fromMs: startOfMonth(month, timeZone),
  toMs: startOfMonth(nextMonth(month), timeZone),
})

const MINUTE_MS = 60_000

const inZone = (instantMs: number, timeZone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(Math.floor(instantMs)).toZonedDateTimeISO(timeZone)

const nextMonth = (month: string): string => Temporal.PlainYearMonth.from(month).add({ months: 1 }).toString()

const startOfMonth = (month: string, timeZone: string): number =>
  Temporal.PlainYearMonth.from(month).toPlainDate({ day: 1 }).toZonedDateTime(timeZone).epochMilliseconds
