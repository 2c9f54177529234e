import { localInstant, MICROS_PER_UNIT, parseMoney } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { reportCsv } from './csv.js'
import { presentTotals } from './present-report.js'

describe('localInstant', () => {
  it('is the same instant, written by the wall clock', () => {
    const zones = fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'Asia/Kolkata',
      'America/St_Johns',
      'Asia/Kathmandu',
      'Pacific/Apia',
    )
    const minutes = fc.integer({ min: Date.UTC(2000, 0) / 60_000, max: Date.UTC(2100, 0) / 60_000 })
    fc.assert(
      fc.property(zones, minutes, (zone, minute) => {
        expect(Date.parse(localInstant(minute * 60_000, zone))).toBe(minute * 60_000)
      }),
    )
  })

  it('keeps both hours of a clock change apart', () => {
    expect([0, 1, 2].map((hour) => localInstant(Date.UTC(2026, 9, 25, hour), 'Europe/Berlin'))).toEqual([
      '2026-10-25T02:00:00+02:00',
      '2026-10-25T02:00:00+01:00',
      '2026-10-25T03:00:00+01:00',
    ])
    expect(localInstant(Date.UTC(2026, 0, 5, 12), 'Asia/Kolkata')).toBe('2026-01-05T17:30:00+05:30')
    expect(localInstant(Date.UTC(2026, 0, 5, 12), 'UTC')).toBe('2026-01-05T12:00:00Z')
  })
})

describe('presentTotals', () => {
  it('prints a cost per click to the nearest micro, exactly, however large', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 18n), fc.bigInt(1n, 10n ** 9n), (spend, clicks) => {
        const { cpc } = presentTotals(
          { metrics: ['cpc'] },
          { sum_spend: spend.toString(), sum_validClicks: clicks.toString() },
        )
        const twiceError = 2n * (parseMoney(String(cpc)) * clicks - spend)
        expect(twiceError > -clicks && twiceError <= clicks).toBe(true)
      }),
    )
  })

  it('keeps sums of money beyond 2^53 exact', () => {
    const micros = 9_007_199_254_740_993n * MICROS_PER_UNIT + 1n
    expect(presentTotals({ metrics: ['spend'] }, { sum_spend: micros.toString() })).toEqual({
      spend: '9007199254740993.000001',
    })
  })
})

describe('reportCsv', () => {
  const columns = [
    { name: 'searchTerm', kind: 'dimension' as const },
    { name: 'spend', kind: 'money' as const },
  ]

  it('keeps every text whole, quotes where needed, and lets none start like a formula', () => {
    const rows = [
      ...['=1+1', '+1', '-1', '@x', '\tx', 'a,b', 'say "hi"', 'two\nlines', '鞋'].map((searchTerm) => ({
        searchTerm,
        spend: '1',
      })),
      { searchTerm: 'credit', spend: '-2.5' },
    ]
    expect(reportCsv({ columns, rows })).toBe(
      [
        'searchTerm,spend',
        "'=1+1,1",
        "'+1,1",
        "'-1,1",
        "'@x,1",
        "'\tx,1",
        '"a,b",1',
        '"say ""hi""",1',
        '"two\nlines",1',
        '鞋,1',
        'credit,-2.5',
        '',
      ].join('\r\n'),
    )
  })
})
