import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CandidateFields, ColumnsError, candidatesOf, columnsOf } from './candidate-columns.js'
import { auctionCandidate, auctionData } from './events.js'

const text = fc.string({ unit: 'binary', maxLength: 12 })
const rate = fc.double({ min: 0, max: 1, noNaN: true })
const listing = {
  position: fc.integer({ min: 0, max: 100 }),
  listingId: text,
  merchantId: text,
  pctr: rate,
  pcvr: rate,
  organicScore: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
  organicRank: fc.integer({ min: 0, max: 500 }),
}
const micros = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String)
const candidate: fc.Arbitrary<CandidateFields> = fc.oneof(
  fc.record({ ...listing, sponsored: fc.constant(false as const) }),
  fc.record({
    ...listing,
    sponsored: fc.constant(true as const),
    campaignId: text,
    adId: text,
    outcome: fc.constantFrom('shown', 'outranked', 'dropped'),
    reason: text,
    pricing: fc.constantFrom('cpc', 'cpm'),
    keyword: text,
    bidMicros: micros,
    priceMicros: micros,
    quality: rate,
    score: rate,
    relevance: rate,
    sampleProbability: fc.double({ min: 1e-6, max: 1, noNaN: true }),
    tieDraw: fc.option(fc.maxSafeNat(), { nil: undefined }),
  }),
)

const written = (candidates: readonly CandidateFields[]) => {
  const { lists, numbers } = columnsOf(candidates)
  return { ...lists, numbers }
}

describe('candidates as columns', () => {
  it('come back as they were, to the last bit, through JSON too', () => {
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 150 }), (candidates) => {
        const read = candidatesOf(JSON.parse(JSON.stringify(written(candidates))))
        expect(read).toEqual(
          candidates.map((fields) => (fields.sponsored ? fields : { ...fields, outcome: 'shown' })),
        )
        for (const one of read) auctionCandidate.parse(one)
      }),
    )
  })

  const two: CandidateFields[] = fc.sample(
    candidate.filter(({ sponsored }) => sponsored),
    { numRuns: 2, seed: 7 },
  )
  const candidatesField = auctionData.shape.candidates
  it('read the same as the candidates one by one', () => {
    expect(candidatesField.parse(written(two))).toEqual(candidatesField.parse(two))
  })

  const good = written(two)
  it.each([
    ['a list that is too short', { ...good, merchantId: ['m1'] }],
    ['a sponsored list that is too short', { ...good, sponsored: { ...good.sponsored, reason: [] } }],
    ['bytes that are not whole rows', { ...good, numbers: good.numbers.slice(4) }],
    ['a sponsored candidate that there is not', { ...good, sponsored: { ...good.sponsored, index: [0, 2] } }],
    ['a sponsored candidate named twice', { ...good, sponsored: { ...good.sponsored, index: [1, 1] } }],
  ])('are refused with %s', (_, columns) => {
    expect(() => candidatesOf(columns)).toThrow(ColumnsError)
    expect(candidatesField.safeParse(columns).success).toBe(false)
  })

  it('are held to what a candidate may be', () => {
    const { lists, numbers } = columnsOf([{ ...two[0]!, position: -1 }])
    expect(candidatesField.safeParse({ ...lists, numbers }).success).toBe(false)
  })
})
