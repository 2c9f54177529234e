import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { monthBounds, monthOf, monthsBetween } from './time.js'

const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kathmandu',
  'Pacific/Kiritimati',
  'Pacific/Apia',
  'America/Havana',
)
const months = fc
  .tuple(fc.integer({ min: 1990, max: 2090 }), fc.integer({ min: 1, max: 12 }))
  .map(([year, month]) => `${year}-${String(month).padStart(2, '0')}`)

describe('monthBounds', () => {
  it('begin and end where the month of the wall clock does, to the millisecond', () => {
    fc.assert(
      fc.property(months, zones, (month, zone) => {
        const { fromMs, toMs } = monthBounds(month, zone)
        expect([fromMs, toMs - 1].map((at) => monthOf(at, zone))).toEqual([month, month])
        expect(monthOf(fromMs - 1, zone) < month).toBe(true)
        expect(monthOf(toMs, zone) > month).toBe(true)
      }),
    )
  })

  it('of March are an hour short where summer time begins', () => {
    const { fromMs, toMs } = monthBounds('2026-03', 'Europe/Berlin')
    expect(new Date(fromMs).toISOString()).toBe('2026-02-28T23:00:00.000Z')
    expect(new Date(toMs).toISOString()).toBe('2026-03-31T22:00:00.000Z')
  })
})

it('monthsBetween names every month once, over the turn of the year', () => {
  expect(monthsBetween('2025-11', '2026-02')).toEqual(['2025-11', '2025-12', '2026-01', '2026-02'])
})
