const formatters = new Map<string, Intl.DateTimeFormat>()

function formatterFor(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone)
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-CA', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
      weekday: 'short',
    })
    formatters.set(timeZone, formatter)
  }
  return formatter
}

export interface LocalTime {
  /** 'YYYY-MM-DD'. */
  readonly date: string
  /** 1 = Monday … 7 = Sunday. */
  readonly weekday: number
  /** 0 … 1439, by the wall clock. */
  readonly minuteOfDay: number
}

const WEEKDAYS: Readonly<Record<string, number>> = { Mon: 1, Tue: 2, Wed: 3, Thu: 4, Fri: 5, Sat: 6, Sun: 7 }

/** Wall-clock date, weekday and minute of an instant in an IANA time zone. */
export function localTime(instantMs: number, timeZone: string): LocalTime {
  const parts: Record<string, string> = {}
  for (const part of formatterFor(timeZone).formatToParts(instantMs)) parts[part.type] = part.value
  return {
    date: `${parts.year}-${parts.month}-${parts.day}`,
    weekday: WEEKDAYS[parts.weekday!]!,
    minuteOfDay: Number(parts.hour) * 60 + Number(parts.minute),
  }
}

/** The merchant's budget day that an instant belongs to: the calendar date in the merchant's time zone. */
export const budgetDay = (instantMs: number, timeZone: string): string => localTime(instantMs, timeZone).date

export interface BudgetDayBounds {
  readonly day: string
  /** Its first instant and the first one after it: 23, 24 or 25 hours apart, as the zone's clocks have it. */
  readonly startMs: number
  readonly endMs: number
}

const MINUTE_MS = 60_000
/** Longer than any day of any zone. */
const LONGEST_DAY_MS = 27 * 3_600_000

/** The budget day that an instant belongs to, with its bounds. */
export function budgetDayBounds(instantMs: number, timeZone: string): BudgetDayBounds {
  const day = budgetDay(instantMs, timeZone)
  const firstMinute = (isReached: (date: string) => boolean, fromMs: number, toMs: number): number => {
    let before = Math.floor(fromMs / MINUTE_MS)
    let reached = Math.ceil(toMs / MINUTE_MS)
    while (reached - before > 1) {
      const middle = Math.floor((before + reached) / 2)
      if (isReached(budgetDay(middle * MINUTE_MS, timeZone))) reached = middle
      else before = middle
    }
    return reached * MINUTE_MS
  }
  const minuteMs = Math.floor(instantMs / MINUTE_MS) * MINUTE_MS
  return {
    day,
    startMs: firstMinute((date) => date >= day, minuteMs - LONGEST_DAY_MS, minuteMs),
    endMs: firstMinute((date) => date > day, minuteMs, minuteMs + LONGEST_DAY_MS),
  }
}

/** The ISO week of a budget day, named by its Monday: 'week:YYYY-MM-DD'. */
export function budgetWeekOf(day: string): string {
  const atMs = Date.parse(`${day}T00:00:00Z`)
  const sinceMonday = (new Date(atMs).getUTCDay() + 6) % 7
  return `week:${new Date(atMs - sinceMonday * 86_400_000).toISOString().slice(0, 10)}`
}

/** The calendar month of a budget day: 'month:YYYY-MM'. */
export const budgetMonthOf = (day: string): string => `month:${day.slice(0, 7)}`
