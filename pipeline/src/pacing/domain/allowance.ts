import { budgetMonthOf, budgetWeekOf, localTime, type Micros } from '@endcap/contracts'
import type { ServingHours } from './day-plan.js'

/** A campaign's limits; undefined: none. */
export interface BudgetLimits {
  readonly dailyMicros: Micros | undefined
  readonly weeklyMicros: Micros | undefined
  readonly monthlyMicros: Micros | undefined
  readonly totalMicros: Micros | undefined
}

/** What billing has counted: on the budget day, in its week and month, and in all. */
export interface BudgetSpend {
  readonly dayMicros: Micros
  readonly weekMicros: Micros
  readonly monthMicros: Micros
  readonly totalMicros: Micros
}

const DAY_MS = 86_400_000
const MINUTES_PER_DAY = 1440

/**
 * What a campaign may spend on a budget day; undefined: no limit says.
 *
 * A daily budget is the merchant's own word: it holds as it is, as far as the longer limits leave as much. Without one, each
 * longer limit that has an end is spread: what was left of it when the day began × the day's part of the campaign's hours from
 * this day to the end of the week, of the month, or of the campaign (for the total; one without an end is not spread, only obeyed).
 * The least of them holds.
 */
export function dayAllowance(
  limits: BudgetLimits,
  spend: BudgetSpend,
  day: string,
  hours: ServingHours,
  zone: string,
): Micros | undefined {
  const leftAtDawn = (limit: Micros | undefined, spent: Micros): Micros | undefined => {
    if (limit === undefined) return undefined
    const left = limit - (spent - spend.dayMicros)
    return left > 0n ? left : 0n
  }
  const week = leftAtDawn(limits.weeklyMicros, spend.weekMicros)
  const month = leftAtDawn(limits.monthlyMicros, spend.monthMicros)
  const total = leftAtDawn(limits.totalMicros, spend.totalMicros)
  if (limits.dailyMicros !== undefined) return least([limits.dailyMicros, week, month, total])

  const endDay = Number.isFinite(hours.endsAtMs) ? dayOf(hours.endsAtMs - 1, zone) : undefined
  const spread = (left: Micros | undefined, lastDay: string | undefined): Micros | undefined =>
    left === undefined || lastDay === undefined
      ? undefined
      : shareOf(left, day, endDay !== undefined && endDay < lastDay ? endDay : lastDay, hours, zone)
  const shares = least([
    spread(week, lastDayOfWeek(day)),
    spread(month, lastDayOfMonth(day)),
    spread(total, endDay),
  ])
  return shares === undefined ? undefined : least([shares, total])
}

function shareOf(left: Micros, day: string, lastDay: string, hours: ServingHours, zone: string): Micros {
  const minutes = createMinutesOfDay(hours, zone)
  const today = minutes(day)
  const allDays = minutesBetween(day, lastDay, minutes)
  if (allDays <= 0) return left
  return (left * BigInt(today)) / BigInt(allDays)
}

/** Minutes that a campaign may serve from a day to another, both included. Whole weeks in between are all alike. */
function minutesBetween(day: string, lastDay: string, minutes: (day: string) => number): number {
  const first = numberOf(day)
  const last = numberOf(lastDay)
  const alikeDays = Math.max(0, last - first - 1)
  const wholeWeeks = Math.floor(alikeDays / 7)
  let sum = 0
  if (wholeWeeks > 0) {
    for (let n = 1; n <= 7; n++) sum += minutes(nameOf(first + n))
    sum *= wholeWeeks
  }
  for (let n = first + 1 + wholeWeeks * 7; n < last; n++) sum += minutes(nameOf(n))
  return sum + minutes(day) + (last > first ? minutes(lastDay) : 0)
}

/** Minutes of a calendar day within schedule and dayparts, as if every day had 24 hours. */
function createMinutesOfDay(hours: ServingHours, zone: string): (day: string) => number {
  const edge = (atMs: number) => (Number.isFinite(atMs) ? localTime(atMs, zone) : undefined)
  const start = edge(hours.startsAtMs)
  const end = edge(hours.endsAtMs)
  return (day) => {
    const from =
      start === undefined || day > start.date ? 0 : day < start.date ? MINUTES_PER_DAY : start.minuteOfDay
    const to = end === undefined || day < end.date ? MINUTES_PER_DAY : day > end.date ? 0 : end.minuteOfDay
    if (hours.dayparts.length === 0) return Math.max(0, to - from)
    const weekday = ((numberOf(day) + 3) % 7) + 1
    const parts = hours.dayparts.filter(({ days }) => days.includes(weekday))
    let minutes = 0
    for (let minute = from; minute < to; minute++) {
      if (parts.some(({ fromMinute, toMinute }) => fromMinute <= minute && minute < toMinute)) minutes++
    }
    return minutes
  }
}

const numberOf = (day: string): number => Date.parse(`${day}T00:00:00Z`) / DAY_MS
const nameOf = (dayNumber: number): string => new Date(dayNumber * DAY_MS).toISOString().slice(0, 10)
const dayOf = (instantMs: number, zone: string): string => localTime(instantMs, zone).date
const lastDayOfWeek = (day: string): string => nameOf(numberOf(budgetWeekOf(day).slice('week:'.length)) + 6)
const lastDayOfMonth = (day: string): string => {
  const [year, month] = budgetMonthOf(day).slice('month:'.length).split('-').map(Number) as [number, number]
  return new Date(Date.UTC(year, month, 0)).toISOString().slice(0, 10)
}

const least = (amounts: readonly (Micros | undefined)[]): Micros | undefined =>
  amounts.reduce((a, b) => (a === undefined ? b : b === undefined || a < b ? a : b), undefined)
