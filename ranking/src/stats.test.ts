import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accumulateStats,
  decodeSnapshot,
  decodeStats,
  emptySnapshot,
  emptyStats,
  encodeStats,
  StatsFormatError,
  statsView,
} from './stats.js'

const counts = fc.record({
  impressions: fc.maxSafeNat(),
  clicks: fc.nat(),
  orders: fc.integer({ min: 1, max: 300 }),
})
const snapshots = fc.record({
  version: fc.string(),
  overall: counts,
  atReference: counts,
  listings: fc.dictionary(fc.string(), counts).map((record) => new Map(Object.entries(record))),
  categories: fc.dictionary(fc.string(), counts).map((record) => new Map(Object.entries(record))),
  queryListings: fc
    .dictionary(fc.string(), fc.dictionary(fc.string(), counts, { minKeys: 1 }))
    .map(
      (record) =>
        new Map(Object.entries(record).map(([term, pairs]) => [term, new Map(Object.entries(pairs))])),
    ),
})

describe('a statistics snapshot', () => {
  it('comes back from its bytes as it went in, and equal ones give equal bytes', () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const bytes = encodeStats(snapshot)
        const back = decodeSnapshot(bytes)
        expect(back).toEqual(snapshot)
        expect(encodeStats(back)).toEqual(bytes)
      }),
    )
  })

  it('is refused when a byte of it changed or is missing', () => {
    const stats = accumulateStats()
    stats.add({ type: 'impression', listingId: 'L1', searchTerm: 'a', categories: ['c'], position: 1 })
    const bytes = encodeStats(stats.snapshot('v'))
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice()
      damaged[at]! ^= 1
      expect(() => decodeStats(damaged)).toThrow(StatsFormatError)
      expect(() => decodeStats(bytes.subarray(0, at))).toThrow(StatsFormatError)
    }
    expect(() =>
      encodeStats({ ...emptySnapshot(), overall: { impressions: 0.5, clicks: 0, orders: 0 } }),
    ).toThrow(RangeError)
  })

  it('takes a few bytes a pair', () => {
    const stats = accumulateStats()
    for (let index = 0; index < 10_000; index++) {
      const seen = {
        listingId: `listing-${index % 500}`,
        searchTerm: `query ${index % 97}`,
        categories: [],
        position: 2,
      }
      stats.add({ type: 'impression', ...seen })
    }
    expect(encodeStats(stats.snapshot('v')).length).toBeLessThan(75_000)
  })
})

describe('priors', () => {
  it('are sane without history, and follow it when there is some', () => {
    expect(emptyStats).toMatchObject({ priorCtr: 0.02, priorCvr: 0.03, referenceLift: 1 })
    const view = statsView({
      ...emptySnapshot(),
      overall: { impressions: 100_000, clicks: 5_000, orders: 500 },
      atReference: { impressions: 10_000, clicks: 1_000, orders: 100 },
    })
    expect(view.priorCtr).toBeCloseTo(0.05, 3)
    expect(view.priorCvr).toBeCloseTo(0.1, 2)
    expect(view.referenceLift).toBeCloseTo(2, 1)
  })
})

describe('replay', () => {
  it('shows at each moment what was known then, and a snapshot no longer changes', () => {
    const stats = accumulateStats()
    const seen = { listingId: 'L1', searchTerm: 'q', categories: ['a', 'b'], position: 1 }
    expect(stats.listing('L1')).toBeUndefined()
    stats.add({ type: 'impression', ...seen })
    const before = stats.snapshot('before')
    expect(stats.listing('L1')).toEqual({ impressions: 1, clicks: 0, orders: 0 })
    const prior = stats.priorCtr
    stats.add({ type: 'click', ...seen })
    stats.add({ type: 'order', ...seen })
    expect(stats.priorCtr).toBeGreaterThan(prior)
    for (const found of [
      stats.listing('L1'),
      stats.queryListing('q', 'L1'),
      stats.category('a'),
      stats.category('b'),
    ]) {
      expect(found).toEqual({ impressions: 1, clicks: 1, orders: 1 })
    }
    expect(before.listings.get('L1')).toEqual({ impressions: 1, clicks: 0, orders: 0 })
  })
})
