import { EndcapError, rankBody } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rankBodyOf } from '../../test-support/ad-server-harness.js'
import { readPlainly, readRankBody } from './read-rank-body.js'

const plain = fc.stringMatching(/^[a-zA-Z0-9-]{1,12}$/)
const text = fc.oneof(
  { weight: 12, arbitrary: plain },
  { weight: 1, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ' shoes',
      'shoes ',
      '',
      ' ',
      'é',
      '靴',
      '\0',
      'x'.repeat(129),
      'x'.repeat(501),
    ),
  },
)
const anything = fc.oneof(
  text,
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(null, undefined, [], {}),
)
const odd = (arbitrary: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 40, arbitrary }, { weight: 1, arbitrary: anything })
const field = (arbitrary: fc.Arbitrary<unknown>) => fc.option(odd(arbitrary), { nil: undefined })
const rarely = fc.oneof({ weight: 40, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: anything })
const body = fc
  .record({
    placement: odd(fc.constantFrom('search', 'home-1')),
    query: field(text),
    categories: field(fc.array(odd(fc.constantFrom('shoes', 'hats')), { maxLength: 22 })),
    location: field(
      fc.record({ lat: odd(fc.double({ min: -90, max: 91 })), lng: odd(fc.integer({ max: 200, min: 0 })) }),
    ),
    customer: field(
      fc.record({ id: field(text), sessionId: field(text), consent: field(fc.boolean()), other: rarely }),
    ),
    device: field(fc.constantFrom('mobile', 'desktop', 'fridge')),
    organic: field(
      fc.array(fc.record({ listingId: odd(text), score: odd(fc.integer()), x: rarely }), { maxLength: 4 }),
    ),
    slots: odd(
      fc.record({
        total: odd(fc.integer({ min: 0, max: 101 })),
        sponsored: field(fc.array(odd(fc.integer({ min: 1, max: 30 })), { maxLength: 3 })),
        x: rarely,
      }),
    ),
    rerank: field(fc.boolean()),
    extra: rarely,
  })
  // As it would have come in: no undefined, no NaN.
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)

describe('reading a rank body by hand', () => {
  it('accepts nothing that the schema refuses, and reads the same', () => {
    let accepted = 0
    fc.assert(
      fc.property(body, (value) => {
        const plainly = readPlainly(value)
        if (plainly === undefined) return
        accepted++
        expect(plainly).toEqual(rankBody.parse(value))
      }),
      { numRuns: 5000 },
    )
    expect(accepted).toBeGreaterThan(500)
  })
  it('takes ordinary bodies without the schema', () => {
    expect(readPlainly(rankBodyOf())).toBeDefined()
    expect(readPlainly({ placement: 'search', slots: { total: 1 } })).toEqual({
      placement: 'search',
      organic: [],
      slots: { total: 1, sponsored: [] },
      rerank: true,
    })
  })
  it('leaves the odd ones to the schema, which trims or words the error', () => {
    expect(readRankBody(rankBodyOf({ categories: [' shoes '] })).categories).toEqual(['shoes'])
    expect(() => readRankBody(rankBodyOf({ slots: { total: 2, sponsored: [1, 1] } }))).toThrow(EndcapError)
  })
})
