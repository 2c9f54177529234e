import { expect, it } from 'vitest'
import { type BudgetLimits, type BudgetSpend, dayAllowance } from './allowance.js'
import type { ServingHours } from './day-plan.js'

const NOTHING: BudgetSpend = { dayMicros: 0n, weekMicros: 0n, monthMicros: 0n, totalMicros: 0n }
const UNLIMITED: BudgetLimits = {
  dailyMicros: undefined,
  weeklyMicros: undefined,
  monthlyMicros: undefined,
  totalMicros: undefined,
}
const always: ServingHours = {
  startsAtMs: Number.NEGATIVE_INFINITY,
  endsAtMs: Number.POSITIVE_INFINITY,
  dayparts: [],
  timeZone: 'UTC',
}
/** A Monday. */
const MONDAY = '2026-01-05'
const allowance = (
  limits: Partial<BudgetLimits>,
  spend: Partial<BudgetSpend> = {},
  day = MONDAY,
  hours: Partial<ServingHours> = {},
) => dayAllowance({ ...UNLIMITED, ...limits }, { ...NOTHING, ...spend }, day, { ...always, ...hours }, 'UTC')

it('a daily budget holds as it is, as far as longer limits leave as much', () => {
  expect(allowance({ dailyMicros: 100n })).toBe(100n)
  expect(allowance({ dailyMicros: 100n, weeklyMicros: 300n }, { weekMicros: 150n })).toBe(100n)
  expect(allowance({ dailyMicros: 100n, weeklyMicros: 300n }, { weekMicros: 250n, dayMicros: 20n })).toBe(70n)
  expect(allowance({ dailyMicros: 100n, totalMicros: 90n }, { totalMicros: 95n })).toBe(0n)
})

it('without a limit that has an end, nothing is spread', () => {
  expect(allowance({})).toBeUndefined()
  expect(allowance({ totalMicros: 100n })).toBeUndefined()
})

it('a weekly or monthly limit is spread over the days that are left of it, and does not move while the day spends', () => {
  expect(allowance({ weeklyMicros: 700n })).toBe(100n)
  expect(allowance({ weeklyMicros: 700n }, { weekMicros: 60n, dayMicros: 60n })).toBe(100n)
  expect(allowance({ weeklyMicros: 700n }, { weekMicros: 640n }, '2026-01-11')).toBe(60n)
  expect(allowance({ monthlyMicros: 2_700_000n })).toBe(100_000n)
  expect(allowance({ weeklyMicros: 700n, totalMicros: 40n })).toBe(40n)
})

it('a total limit is spread to the campaign’s end, by the part of each day that it runs', () => {
  const endsAtMs = Date.parse('2026-01-07T12:00:00Z')
  expect(allowance({ totalMicros: 2_500_000n }, {}, MONDAY, { endsAtMs })).toBe(1_000_000n)
  expect(
    allowance({ totalMicros: 2_500_000n }, { totalMicros: 2_000_000n }, '2026-01-07', { endsAtMs }),
  ).toBe(500_000n)
  const inTwoYears = Date.parse('2028-01-05T00:00:00Z')
  expect(allowance({ totalMicros: 730_000_000n }, {}, MONDAY, { endsAtMs: inTwoYears })).toBe(1_000_000n)
})

it('days weigh by their hours: a day without any gets nothing', () => {
  const dayparts = [
    { days: [1, 2], fromMinute: 540, toMinute: 600 },
    { days: [3], fromMinute: 540, toMinute: 660 },
  ]
  const hours = { dayparts }
  expect(allowance({ weeklyMicros: 4_000_000n }, {}, MONDAY, hours)).toBe(1_000_000n)
  expect(allowance({ weeklyMicros: 4_000_000n }, { weekMicros: 2_000_000n }, '2026-01-07', hours)).toBe(
    2_000_000n,
  )
  expect(allowance({ weeklyMicros: 4_000_000n }, { weekMicros: 2_000_000n }, '2026-01-08', hours)).toBe(
    2_000_000n,
  )
})
