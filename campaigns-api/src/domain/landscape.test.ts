import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addedUp, byUtcDay, settledDays } from './landscape.js'

const at = (text: string) => Date.parse(text)
const NOW = at('2026-01-05T12:00:00Z')
const daysOf = (from: string, to: string, nowMs = NOW) => {
  const { fromMs, toMs } = settledDays({ fromMs: at(from), toMs: at(to) }, nowMs)
  return [fromMs, toMs].map((ms) => new Date(ms).toISOString().slice(0, 16))
}

describe('the days of a period that may count', () => {
  it('are whole: what a period holds of its first and last day does not', () => {
    expect(daysOf('2026-01-01T00:00:00Z', '2026-01-03T00:00:00Z')).toEqual([
      '2026-01-01T00:00',
      '2026-01-03T00:00',
    ])
    expect(daysOf('2026-01-01T00:01:00Z', '2026-01-03T23:59:00Z')).toEqual([
      '2026-01-02T00:00',
      '2026-01-03T00:00',
    ])
  })

  it('are over for an hour, and of the last twelve months', () => {
    const end = (now: string) => daysOf('2026-01-04T00:00:00Z', '2026-01-09T00:00:00Z', at(now))[1]
    expect(end('2026-01-06T00:59:59.999Z')).toBe('2026-01-05T00:00')
    expect(end('2026-01-06T01:00:00Z')).toBe('2026-01-06T00:00')
    expect(daysOf('2025-01-01T00:00:00Z', '2025-01-20T00:00:00Z')[0]).toBe('2025-01-06T00:00')
  })

  it('are none in a period within a day, of the future, or of long ago', () => {
    for (const [from, to] of [
      ['2026-01-01T00:00:00Z', '2026-01-01T23:59:00Z'],
      ['2026-01-01T12:00:00Z', '2026-01-02T12:00:00Z'],
      ['2026-02-01T00:00:00Z', '2026-02-03T00:00:00Z'],
      ['2020-02-01T00:00:00Z', '2020-02-03T00:00:00Z'],
    ] as const) {
      const [first, end] = daysOf(from, to)
      expect(end, from).toBe(first)
    }
  })

  it('lie in the period, and a period in two parts has no other days than the whole', () => {
    const instant = fc.integer({ min: at('2025-12-20T00:00:00Z'), max: at('2026-01-10T00:00:00Z') })
    const days = (fromMs: number, toMs: number) => {
      const span = settledDays({ fromMs, toMs }, NOW)
      return Array.from(
        { length: (span.toMs - span.fromMs) / 86_400_000 },
        (_, i) => span.fromMs + i * 86_400_000,
      )
    }
    fc.assert(
      fc.property(instant, instant, instant, (...bounds) => {
        const [a, b, c] = bounds.sort((x, y) => x - y) as [number, number, number]
        const whole = days(a, c)
        for (const day of whole) expect(day >= a && day + 86_400_000 <= c).toBe(true)
        expect(whole).toEqual(expect.arrayContaining([...days(a, b), ...days(b, c)]))
      }),
    )
  })
})

it('byUtcDay keeps together what happened on one day, to the millisecond', () => {
  const events = ['2026-01-01T00:00:00Z', '2026-01-01T23:59:59.999Z', '2026-01-02T00:00:00Z'].map((text) => ({
    atMs: at(text),
  }))
  expect([...byUtcDay(events).values()].map((day) => day.length)).toEqual([2, 1])
})

describe('landscapes added up', () => {
  const landscape = (bids: number, wins: number) => ({
    bids,
    points: [
      { changePercent: 0, wins, clicks: wins / 10, spendMicros: wins * 100 },
      { changePercent: 25, wins: wins * 2, clicks: wins / 5, spendMicros: wins * 300 },
    ],
  })

  it('count each part as many times as auctions were found for one that was run', () => {
    const parts = [
      { found: 40, replayed: 20, landscape: landscape(30, 10) },
      { found: 20, replayed: 20, landscape: landscape(20, 5) },
    ]
    expect(addedUp([0, 25], parts)).toEqual({
      found: 60,
      replayed: 40,
      landscape: {
        bids: 80,
        points: [
          { changePercent: 0, wins: 25, clicks: 2.5, spendMicros: 2500 },
          { changePercent: 25, wins: 50, clicks: 5, spendMicros: 7500 },
        ],
      },
    })
  })

  it('are zeros without a part, and without an auction that could be run', () => {
    const zeros = [0, 25].map((changePercent) => ({ changePercent, wins: 0, clicks: 0, spendMicros: 0 }))
    expect(addedUp([0, 25], [])).toEqual({ found: 0, replayed: 0, landscape: { bids: 0, points: zeros } })
    const none = { found: 3, replayed: 0, landscape: { bids: 0, points: zeros } }
    expect(addedUp([0, 25], [none]).landscape.points).toEqual(zeros)
  })
})
