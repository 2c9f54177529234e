import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  computeFeatures,
  FEATURE_COUNT,
  FEATURE_NAMES,
  FEATURE_SET,
  type FeatureName,
  POSITION_COLUMN,
  positionFeature,
  rankedListing,
  relevance,
  slateContext,
  smoothedPredictions,
} from './features.js'
import { smoothedRate } from './listing-facts.js'
import { accumulateStats, decodeStats, emptyStats, encodeStats, statsView } from './stats.js'
import type { SlateCandidate, StatsView } from './types.js'

const AT_NOON = Date.UTC(2026, 0, 5, 12)
const context = (query = 'red shoes') =>
  slateContext({ query, categories: ['Shoes'], device: 'mobile', placement: 'search', atMs: AT_NOON })

const candidate = (
  id: string,
  over: Partial<Parameters<typeof rankedListing>[0]> = {},
  organic?: [number, number],
) =>
  ({
    listing: rankedListing({ id, title: 'Red running shoe', categories: ['Shoes'], price: 20, ...over }),
    listingId: id,
    organicScore: organic?.[0],
    organicRank: organic?.[1] ?? 0,
  }) satisfies SlateCandidate

function rowsOf(candidates: readonly SlateCandidate[], stats: StatsView = emptyStats, query?: string) {
  const out = new Float32Array(candidates.length * FEATURE_COUNT)
  computeFeatures(context(query), candidates, stats, out)
  return candidates.map(
    (_, row) => (name: FeatureName) => out[row * FEATURE_COUNT + FEATURE_NAMES.indexOf(name)]!,
  )
}

const logOdds = (rate: number) => Math.fround(Math.log(rate / (1 - rate)))

function history(): StatsView {
  const stats = accumulateStats()
  for (let index = 0; index < 90; index++) {
    const seen = {
      listingId: 'L1',
      searchTerm: 'red shoes',
      categories: ['Shoes'],
      position: 1 + (index % 3),
    }
    stats.add({ type: 'impression', ...seen })
    if (index < 30) stats.add({ type: 'click', ...seen })
    if (index < 6) stats.add({ type: 'order', ...seen })
  }
  return stats
}

describe('features', () => {
  it('have a version that names their definition', () => {
    expect(FEATURE_SET).toMatch(/^f\d+-[0-9a-f]{8}$/)
    expect(new Set(FEATURE_NAMES).size).toBe(FEATURE_COUNT)
  })

  it('are as served at the reference position', () => {
    const [row] = rowsOf([candidate('L1')])
    expect(row!('log_position')).toBe(0)
    expect(POSITION_COLUMN).toBe(0)
    expect([1, 2, 8].map(positionFeature)).toEqual([0, Math.fround(Math.log(2)), Math.fround(Math.log(8))])
  })

  it('hold smoothed rates by the formula (prior·10 + clicks) ÷ (10 + impressions)', () => {
    const stats = history()
    const prior = stats.priorCtr
    const [seen, unseen] = rowsOf([candidate('L1'), candidate('L2')], stats)
    expect(seen!('listing_ctr')).toBe(logOdds((prior * 10 + 30) / 100))
    expect(seen!('query_listing_ctr')).toBe(logOdds((prior * 10 + 30) / 100))
    expect(seen!('listing_cvr')).toBe(logOdds((stats.priorCvr * 10 + 6) / 40))
    expect(seen!('listing_evidence')).toBe(Math.fround(Math.log(91)))
    expect(unseen!('listing_ctr')).toBe(logOdds(prior))
    expect(unseen!('query_listing_ctr')).toBe(logOdds(prior))
    expect(unseen!('listing_evidence')).toBe(0)
    expect(unseen!('category_ctr')).toBe(logOdds((prior * 10 + 30) / 100))
    const [otherQuery] = rowsOf([candidate('L1')], stats, 'blue shoes')
    expect(otherQuery!('query_listing_ctr')).toBe(logOdds(prior))
    expect(smoothedRate(0.1, 3, 20)).toBeCloseTo(4 / 30, 12)
  })

  it('match the query with title and categories', () => {
    const [both, one, none] = rowsOf([
      candidate('L1'),
      candidate('L2', { title: 'Blue shoe', categories: ['Bags'] }),
      candidate('L3', { title: 'Watch', categories: [] }),
    ])
    expect([both, one, none].map((row) => row!('title_match'))).toEqual([1, 0.5, 0])
    expect([both, one, none].map((row) => row!('query_category_match'))).toEqual([0.5, 0, 0])
    expect([both, one, none].map((row) => row!('category_match'))).toEqual([1, 0, 0])
    expect(rowsOf([candidate('L1')], emptyStats, '')[0]!('title_match')).toBe(0)
    expect(rowsOf([candidate('L1')], emptyStats, '')[0]!('has_query')).toBe(0)
  })

  it('compare the price with the median of the slate', () => {
    const prices = [10, 40, 20, 0, Number.NaN]
    const rows = rowsOf(prices.map((price, index) => candidate(`L${index}`, { price })))
    expect(rows.map((row) => row('price_to_median'))).toEqual([
      Math.fround(Math.log(0.5)),
      Math.fround(Math.log(2)),
      0,
      0,
      0,
    ])
  })

  it('find the median of any prices, sorted or not', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 300 }), (prices) => {
        const rows = rowsOf(prices.map((price, index) => candidate(`L${index}`, { price })))
        const median = [...prices].sort((a, b) => a - b)[(prices.length - 1) >> 1]!
        for (const [index, row] of rows.entries()) {
          expect(row('price_to_median')).toBe(Math.fround(Math.log(prices[index]! / median)))
        }
      }),
    )
  })

  it('standardise the organic score within the slate, and leave sponsored candidates at 0', () => {
    const [high, low, sponsored] = rowsOf([
      candidate('L1', {}, [12, 1]),
      candidate('L2', {}, [4, 2]),
      candidate('L3'),
    ])
    expect([high, low, sponsored].map((row) => row!('organic_score'))).toEqual([1, -1, 0])
    expect([high, low, sponsored].map((row) => row!('organic_inverse_rank'))).toEqual([1, 0.5, 0])
    const equal = rowsOf([
      candidate('L1', {}, [0.1, 1]),
      candidate('L2', {}, [0.1, 2]),
      candidate('L3', {}, [0.1, 3]),
    ])
    expect(equal.map((row) => row('organic_score'))).toEqual([0, 0, 0])
  })

  it('know the hour, the device and whether the listing is in the catalog', () => {
    const stranger = { listing: undefined, listingId: 'x', organicScore: 1, organicRank: 1 }
    const [known, unknown] = rowsOf([candidate('L1'), stranger])
    expect(known!('hour_sin')).toBeCloseTo(0, 6)
    expect(known!('hour_cos')).toBe(-1)
    expect(
      ['device_desktop', 'device_mobile', 'device_tablet'].map((name) => known!(name as FeatureName)),
    ).toEqual([0, 1, 0])
    expect([known!('listing_known'), unknown!('listing_known')]).toEqual([1, 0])
    expect(unknown!('title_match')).toBe(0)
  })

  it('rise with clicks: a listing clicked more has a higher rate, all else equal', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 500 }),
        fc.nat({ max: 500 }),
        fc.nat({ max: 500 }),
        (impressions, clicks, more) => {
          const stats = accumulateStats()
          const add = (type: 'impression' | 'click', listingId: string, times: number) => {
            for (let time = 0; time < times; time++) {
              stats.add({ type, listingId, searchTerm: '', categories: [], position: 1 })
            }
          }
          add('impression', 'L1', impressions + clicks + more)
          add('impression', 'L2', impressions + clicks + more)
          add('click', 'L1', clicks)
          add('click', 'L2', clicks + more)
          const [less, most] = rowsOf([candidate('L1'), candidate('L2')], stats)
          expect(most!('listing_ctr')).toBeGreaterThanOrEqual(less!('listing_ctr'))
        },
      ),
      { numRuns: 50 },
    )
  })

  it('are finite whatever a slate holds', () => {
    const anyNumber = fc.oneof(
      fc.double(),
      fc.constantFrom(0, -0, 1e308, -1e308, 5e-324, Number.NaN, Infinity),
    )
    const stats = history()
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            known: fc.boolean(),
            price: anyNumber,
            score: fc.option(anyNumber, { nil: undefined }),
            rank: fc.nat({ max: 500 }),
            title: fc.string({ maxLength: 20 }),
          }),
          { maxLength: 20 },
        ),
        fc.string({ unit: 'binary', maxLength: 20 }),
        (slate, query) => {
          const out = new Float32Array(slate.length * FEATURE_COUNT)
          const candidates = slate.map(({ known, price, score, rank, title }, index) => ({
            listing: known
              ? rankedListing({ id: `L${index}`, title, price, categories: [title] })
              : undefined,
            listingId: `L${index}`,
            organicScore: score,
            organicRank: rank,
          }))
          computeFeatures(context(query), candidates, stats, out)
          expect(out.every(Number.isFinite)).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('are the same bits for the same slate, after a slate of another size, and from shipped statistics', () => {
    const live = accumulateStats()
    live.add({
      type: 'impression',
      listingId: 'L1',
      searchTerm: 'red shoes',
      categories: ['Shoes'],
      position: 1,
    })
    live.add({ type: 'click', listingId: 'L1', searchTerm: 'red shoes', categories: ['Shoes'], position: 1 })
    const slate = [
      candidate('L1', { price: 3 }, [5, 1]),
      candidate('L2', { price: 9 }, [2, 2]),
      candidate('L3'),
    ]
    const first = new Float32Array(3 * FEATURE_COUNT)
    computeFeatures(context(), slate, live, first)
    rowsOf(Array.from({ length: 400 }, (_, index) => candidate(`M${index}`, { price: index + 1 })))
    const again = new Float32Array(3 * FEATURE_COUNT)
    computeFeatures(context(), slate, decodeStats(encodeStats(live.snapshot('shipped'))), again)
    expect(again).toEqual(first)
  })

  it('follow what happens: a listing kept from slate to slate has the rates of the statistics in force', () => {
    const growing = accumulateStats()
    const event = { listingId: 'L1', searchTerm: '', categories: [], position: 1 }
    const kept = candidate('L1')
    const rows: number[] = []
    const ctr = (stats: StatsView) => rows.push(rowsOf([kept], stats)[0]!('listing_ctr'))
    ctr(growing)
    for (let n = 0; n < 20; n++) growing.add({ ...event, type: 'impression' })
    const before = statsView(growing.snapshot('before'))
    ctr(growing)
    ctr(before)
    growing.add({ ...event, type: 'click' })
    const after = statsView(growing.snapshot('after'))
    ctr(before)
    ctr(after)
    ctr(growing)
    const [fresh, seen, fixed, fixedAgain, clicked, clickedToo] = rows
    expect(seen).toBeLessThan(fresh!)
    expect([fixed, fixedAgain]).toEqual([seen, seen])
    expect(clicked).toBeGreaterThan(seen!)
    expect(clickedToo).toBe(clicked)
  })

  it('refuse a buffer that is too short', () => {
    expect(() => computeFeatures(context(), [candidate('L1')], emptyStats, new Float32Array(3))).toThrow(
      RangeError,
    )
  })
})

describe('relevance', () => {
  it('is 1 without a query, and grows with the share of the query that title or category answer', () => {
    const listing = candidate('L1', { title: 'Red shoe', categories: ['Running'] }).listing
    expect(relevance(context(''), listing)).toBe(1)
    expect(relevance(context('running red shoes'), listing)).toBe(1)
    expect(relevance(context('red watch'), listing)).toBeCloseTo(0.55, 12)
    expect(relevance(context('blue watch'), listing)).toBeCloseTo(0.1, 12)
  })
})

describe('smoothedPredictions', () => {
  it('give the prior to the unknown and more to what was clicked more', () => {
    const stats = history()
    const { pctr, pcvr } = smoothedPredictions(context(), [candidate('L1'), candidate('L2')], stats)
    expect(pctr[1]!).toBeCloseTo(stats.priorCtr * stats.referenceLift, 6)
    expect(pcvr[1]!).toBeCloseTo(stats.priorCvr, 6)
    expect(pctr[0]!).toBeGreaterThan(pctr[1]!)
    expect([...pctr, ...pcvr].every((value) => value > 0 && value < 1)).toBe(true)
  })

  it('are probabilities even when more clicks than impressions were counted', () => {
    const stats = accumulateStats()
    for (let time = 0; time < 100; time++) {
      stats.add({ type: 'click', listingId: 'L1', searchTerm: '', categories: [], position: 1 })
    }
    const { pctr } = smoothedPredictions(context(), [candidate('L1')], stats)
    expect(pctr[0]!).toBeLessThanOrEqual(1)
  })
})
