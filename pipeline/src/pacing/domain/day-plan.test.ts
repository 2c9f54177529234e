import { budgetDayBounds } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import { planDay, type ServingHours, servesAt } from './day-plan.js'
import { FLAT_CURVE, learnTrafficCurve, type TrafficCount } from './traffic-curve.js'

const always: ServingHours = {
  startsAtMs: Number.NEGATIVE_INFINITY,
  endsAtMs: Number.POSITIVE_INFINITY,
  dayparts: [],
  timeZone: 'UTC',
}
const at = (text: string): number => Date.parse(text)
const planOf = (instant: string, hours: Partial<ServingHours> = {}, zone = 'UTC', curve = FLAT_CURVE) =>
  planDay(budgetDayBounds(at(instant), zone), { ...always, timeZone: zone, ...hours }, ['search'], curve)

describe('a day plan', () => {
  it('goes by evenly where traffic is unknown', () => {
    const plan = planOf('2026-01-05T12:00:00Z')
    expect(plan.shareAt(at('2026-01-04T12:00:00Z'))).toBe(0)
    expect(plan.shareAt(at('2026-01-05T06:07:30Z'))).toBeCloseTo(6.125 / 24, 12)
    expect(plan.shareAt(at('2026-01-06T00:00:00Z'))).toBe(1)
  })

  it('counts only the hours that the campaign may serve: dayparts in its zone, its start and its end', () => {
    const dayparts = [
      { days: [1], fromMinute: 9 * 60, toMinute: 13 * 60 },
      { days: [1], fromMinute: 12 * 60, toMinute: 17 * 60 },
    ]
    const parts = planOf('2026-01-05T12:00:00Z', { dayparts, timeZone: 'Europe/Berlin' })
    expect(parts.shareAt(at('2026-01-05T08:00:00Z'))).toBe(0)
    expect(parts.shareAt(at('2026-01-05T12:00:00Z'))).toBeCloseTo(0.5, 12)
    expect(parts.shareAt(at('2026-01-05T16:00:00Z'))).toBe(1)
    expect(planOf('2026-01-06T12:00:00Z', { dayparts }).serves).toBe(false)

    const ends = planOf('2026-01-05T12:00:00Z', {
      startsAtMs: at('2026-01-05T06:00:00Z'),
      endsAtMs: at('2026-01-05T18:00:00Z'),
    })
    expect(ends.shareAt(at('2026-01-05T06:00:00Z'))).toBe(0)
    expect(ends.shareAt(at('2026-01-05T12:00:00Z'))).toBeCloseTo(0.5, 12)
    expect(ends.shareAt(at('2026-01-05T18:00:00Z'))).toBe(1)
  })

  it('of 23 or 25 hours goes by by the hours that it has', () => {
    const short = planOf('2026-03-29T12:00:00Z', {}, 'Europe/Berlin')
    expect(short.shareAt(at('2026-03-29T10:30:00Z'))).toBeCloseTo(0.5, 12)
    const long = planOf('2026-10-25T12:00:00Z', {}, 'Europe/Berlin')
    expect(long.shareAt(at('2026-10-25T10:30:00Z'))).toBeCloseTo(0.5, 12)
    const dayparts = [{ days: [7], fromMinute: 0, toMinute: 6 * 60 }]
    const night = planOf('2026-10-25T12:00:00Z', { dayparts }, 'Europe/Berlin')
    expect(night.shareAt(at('2026-10-25T01:30:00Z'))).toBeCloseTo(0.5, 12)
  })

  it('knows when a campaign may serve', () => {
    const hours = {
      ...always,
      dayparts: [{ days: [1], fromMinute: 540, toMinute: 600 }],
      endsAtMs: at('2026-01-05T09:30:00Z'),
    }
    expect(
      ['08:59', '09:00', '09:29', '09:30'].map((clock) => servesAt(at(`2026-01-05T${clock}:00Z`), hours)),
    ).toEqual([false, true, true, false])
  })
})

describe('a traffic curve', () => {
  /** Ten auctions a quarter, a hundred from 18 to 19 h, on each of these days. */
  const log = (placement: string, days: readonly string[], evening = 100): TrafficCount[] =>
    days.flatMap((day) =>
      Array.from({ length: 96 }, (_, bucket) => ({
        placement,
        day,
        bucket,
        auctions: bucket >= 72 && bucket < 76 ? evening : 10,
      })),
    )
  const MONDAYS = ['2025-12-15', '2025-12-22', '2025-12-29']
  const evening = at('2026-01-05T18:20:00Z')
  const night = at('2026-01-05T03:00:00Z')

  it('is flat before a whole day was seen', () => {
    expect(learnTrafficCurve([]).weightAt(night, ['search'])).toBe(1)
    const firstDay = learnTrafficCurve(log('search', ['2026-01-04']))
    expect(firstDay.weightAt(evening, ['search'])).toBe(firstDay.weightAt(night, ['search']))
  })

  it('has the evening of the same weekday, drawn towards the average day, and never falls to nothing', () => {
    const tuesdays = ['2025-12-16', '2025-12-23', '2025-12-30']
    const curve = learnTrafficCurve([
      ...log('search', ['2025-12-01', ...MONDAYS]),
      ...log('search', tuesdays, 10),
    ])
    const ratio = (instant: number) => curve.weightAt(instant, ['search']) / curve.weightAt(night, ['search'])
    expect(ratio(evening)).toBeGreaterThan(7)
    expect(ratio(evening)).toBeLessThan(10)
    const tuesdayEvening = at('2026-01-06T18:20:00Z')
    expect(ratio(tuesdayEvening)).toBeGreaterThan(1)
    expect(ratio(tuesdayEvening)).toBeLessThan(3)
    const silent = learnTrafficCurve(
      log('search', ['2025-12-01', ...MONDAYS]).filter(({ bucket }) => bucket > 40),
    )
    expect(silent.weightAt(night, ['search'])).toBeGreaterThan(0)
  })

  it('is the placement’s own; of a campaign on all of them, their sum; flat where it is unknown', () => {
    const days = ['2025-12-01', ...MONDAYS]
    const curve = learnTrafficCurve([...log('search', days), ...log('home', days, 10)])
    const home = curve.weightAt(evening, ['home'])
    expect(home).toBeCloseTo(curve.weightAt(night, ['home']), 6)
    expect(curve.weightAt(evening, [])).toBeCloseTo(curve.weightAt(evening, ['search']) + home, 9)
    expect(curve.weightAt(evening, ['elsewhere'])).toBe(1)
  })

  it('makes the plan wait for the evening', () => {
    const curve = learnTrafficCurve(log('search', ['2025-12-01', ...MONDAYS]))
    const plan = planOf('2026-01-05T12:00:00Z', {}, 'UTC', curve)
    expect(plan.shareAt(at('2026-01-05T12:00:00Z'))).toBeLessThan(0.4)
  })
})
