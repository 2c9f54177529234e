import { effectiveBid, exportCase, type LoggedBidder, withCaps } from '@endcap/auction'
import { formatPrice, maxMicros } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runAuctionCase } from './run-case.js'

const bidder = (n: number, fields: Partial<LoggedBidder>): LoggedBidder => ({
  adId: `ad_${n}`,
  merchantId: `m${n}`,
  listingId: `S${n}`,
  campaignId: `c${n}`,
  pricing: 'cpc',
  bidMicros: 900_000n - BigInt(n) * 100_000n,
  pctr: Math.fround(0.0312345678),
  pcvr: 0.01,
  relevance: 1 / 3,
  position: 0,
  priceMicros: 0n,
  reason: '',
  sampleProbability: 1,
  organicRank: 0,
  organicScore: null,
  ...fields,
})
const exported = (bidders: LoggedBidder[], reserveRule = 'search') =>
  exportCase(
    {
      auctionId: 'auc_1',
      currency: 'EUR',
      rules: {
        reserveMicros: 100_000n,
        reserveCpmMicros: 0n,
        squashing: 0.7,
        maxPerMerchant: 2,
        reserveRule,
      },
      totalSlots: 6,
      forSale: [1, 3],
      bidders: withCaps(bidders),
    },
    {
      occurredAt: '2026-01-05T12:00:00.000Z',
      placement: 'search',
      query: '',
      categories: [],
      device: 'mobile',
      organic: [],
    },
  )
/** The bids of a case's ads, by listing. */
const bidsOf = (json: unknown): string[] =>
  runAuctionCase(json)
    .outcomes.toSorted((a, b) => (a.listingId < b.listingId ? -1 : 1))
    .map(({ bid }) => bid)
/** The case with other fields of its first campaign, and of predictions. */
function rebid(json: ReturnType<typeof exported>, fields: object, predictions: Record<string, object> = {}) {
  const copy = structuredClone(json) as { campaigns: object[]; predictions: Record<string, object> }
  Object.assign(copy.campaigns[0]!, fields)
  for (const [id, more] of Object.entries(predictions)) Object.assign(copy.predictions[id]!, more)
  return copy
}

describe('a case exported from the log', () => {
  it('ends its page where the logged one did, also when the only organic result was sold', () => {
    const json = exported([
      bidder(1, { position: 1, priceMicros: 700_000n, organicRank: 1, organicScore: 9 }),
      bidder(2, { reason: 'page_ended' }),
    ])
    const { slots, outcomes, differences } = runAuctionCase(json)
    expect(differences).toEqual([])
    expect(slots.map(({ position, listingId }) => [position, listingId])).toEqual([[1, 'S1']])
    expect(outcomes.map(({ reason }) => reason)).toEqual(['second_price', 'page_ended'])
  })

  it('holds listings of any id, read back from a file', () => {
    const ids = ['__proto__', 'constructor', '0', 'ü/ž']
    const json = exported(
      ids.map((listingId, index) => bidder(index + 1, { listingId, position: index === 0 ? 1 : 0 })),
    )
    const { slots, outcomes } = runAuctionCase(JSON.parse(JSON.stringify(json)))
    expect(slots.map(({ listingId }) => listingId)).toContain('__proto__')
    expect(outcomes.map(({ listingId }) => listingId).sort()).toEqual([...ids].sort())
  })

  it('keeps out whose bid had come to nothing, until its campaign bids something', () => {
    const json = exported([
      bidder(2, { bidMicros: 0n, reason: 'below_reserve' }),
      bidder(1, { position: 1, priceMicros: 100_000n }),
    ])
    const { outcomes, differences } = runAuctionCase(json)
    expect(differences).toEqual([])
    expect(outcomes.map(({ reason, bid }) => [reason, bid])).toEqual([
      ['reserve_price', '0.800000'],
      ['below_reserve', '0.000000'],
    ])
    expect(bidsOf(rebid(json, { bid: '0.30' }))).toEqual(['0.800000', '0.300000'])
  })

  it('is held by the rules that were logged, under the same name', () => {
    const alone = bidder(1, { position: 1, priceMicros: 100_000n })
    for (const reserveRule of ['search', '']) {
      const { rules, differences } = runAuctionCase(exported([alone], reserveRule))
      expect(differences).toEqual([])
      expect(rules).toEqual({
        reserve: '0.100000',
        reserveCpm: '0.000000',
        reserveRule: reserveRule || null,
        squashing: 0.7,
        maxPerMerchant: 2,
      })
    }
  })

  it('names no reserve but the one that held, so that changing it changes the auction', () => {
    const alone = bidder(1, { position: 1, priceMicros: 100_000n })
    const { rules } = exported([alone])
    expect(rules).not.toHaveProperty('reserve')
    expect(rules).not.toHaveProperty('reserveCpm')
    expect(exported([alone], '').rules).toMatchObject({ reserve: '0.100000', reserveCpm: '0.000000' })
  })

  it('keeps out whom frequency caps kept out: of a campaign, of a merchant, of both, and from the beginning', () => {
    const json = exported([
      bidder(1, { merchantId: 'm1', campaignId: 'c1', position: 1, priceMicros: 300_000n }),
      bidder(2, { merchantId: 'm1', campaignId: 'c1', reason: 'frequency_cap' }),
      bidder(3, { merchantId: 'm1', campaignId: 'c2', reason: 'merchant_frequency_cap' }),
      // Nothing was left of these from the beginning: of a merchant's campaign, and of a whole merchant.
      bidder(4, { merchantId: 'm1', campaignId: 'c3', reason: 'frequency_cap' }),
      bidder(5, { reason: 'merchant_frequency_cap' }),
      bidder(6, { merchantId: 'm2', position: 3, priceMicros: 100_000n }),
      bidder(7, { merchantId: 'm2', bidMicros: 150_000n, reason: 'outranked' }),
    ])
    const { outcomes, differences } = runAuctionCase(json)
    expect(differences).toEqual([])
    expect(Object.fromEntries(outcomes.map(({ listingId, reason }) => [listingId, reason]))).toEqual({
      S1: 'second_price',
      S2: 'frequency_cap',
      S3: 'merchant_frequency_cap',
      S4: 'frequency_cap',
      S5: 'merchant_frequency_cap',
      S6: 'reserve_price',
      S7: 'outranked',
    })
  })

  it('bids what its campaign is made to bid, or more steps are made to leave of that', () => {
    const json = exported([
      bidder(1, { position: 1, priceMicros: 700_000n }),
      bidder(2, { position: 3, priceMicros: 100_000n }),
    ])
    expect(runAuctionCase(json).differences).toEqual([])
    const { slots, outcomes } = runAuctionCase(rebid(json, { bid: '0.50' }))
    expect(slots.map(({ listingId, price }) => [listingId, price])).toEqual([
      ['S2', '0.500000'],
      ['S1', '0.100000'],
    ])
    expect(outcomes[1]).toMatchObject({ listingId: 'S1', bid: '0.500000', bidding: { maxBid: '0.500000' } })
    expect(bidsOf(rebid(json, { bid: '2', multiplier: 0.2 }))).toContain('0.400000')
    expect(bidsOf(rebid(json, { bid: '2', remaining: { day: '0.25' } }))).toContain('0.250000')
    expect(bidsOf(rebid(json, { targetRoas: 5 }, { S1: { orderValue: '150' } }))).toContain('0.300000')
  })

  it('comes to the bids that serving would have made of another bid of its campaign', () => {
    const micros = fc.bigInt({ min: 1n, max: 5_000_000n })
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        fc.record({ before: micros, after: micros }),
        fc.record({ multiplier: share, remainingMicros: fc.option(micros, { nil: undefined }) }),
        fc.option(fc.double({ min: 0.1, max: 100, noNaN: true })),
        fc.array(fc.bigInt({ min: 0n, max: 500_000_000n }), { minLength: 1, maxLength: 4 }),
        ({ before, after }, limits, targetRoas, orderValues) => {
          const steps = { pricing: 'cpc', pctr: 0.03, pcvr: 0.01, ...limits } as const
          const served = (bidMicros: bigint) =>
            orderValues.map((orderValueMicros) =>
              effectiveBid({ ...steps, bidMicros, targetRoas, orderValueMicros }),
            )
          const entered = served(before)
          const json = exported(
            entered.map((bidMicros, n) => bidder(n, { campaignId: 'c1', merchantId: 'm1', bidMicros })),
          )
          expect(bidsOf(json)).toEqual(entered.map(formatPrice))
          // A bid stands in a case as it entered the auction.
          const bid = effectiveBid({ ...steps, bidMicros: after, targetRoas: null, orderValueMicros: 0n })
          const best = entered.reduce(maxMicros)
          bidsOf(rebid(json, { bid: formatPrice(bid) })).forEach((got, n) => {
            // Whether a target ROAS held the best ads to their bid is not in the log: they bid all of a higher one.
            const isKnown = targetRoas === null || bid <= best || entered[n]! < best
            expect(got).toBe(formatPrice(isKnown ? served(after)[n]! : bid))
          })
        },
      ),
      { numRuns: 200, seed: 20260105 },
    )
  })
})
