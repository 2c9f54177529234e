import fc from 'fast-check'
import type { AuctionRules, Bidder } from '../auction.js'

const quality = fc.integer({ min: 1, max: 1000 }).map((n) => n / 1000)

/** A field of bidders of few merchants and listings, so that limits and equal scores come up. */
export const anyBidders: fc.Arbitrary<Bidder[]> = fc
  .array(
    fc.record({
      merchant: fc.integer({ min: 0, max: 5 }),
      listing: fc.integer({ min: 0, max: 12 }),
      pricing: fc.constantFrom('cpc' as const, 'cpm' as const),
      bid: fc.oneof(fc.integer({ min: 0, max: 3_000_000 }), fc.constantFrom(500_000, 1_000_000)),
      pctr: fc.oneof(quality, fc.constant(0.05)),
      relevance: fc.oneof(quality, fc.constant(1)),
    }),
    { minLength: 1, maxLength: 16 },
  )
  .map((rows) =>
    rows.map(
      (row, i): Bidder => ({
        adId: `ad${i}`,
        merchantId: `m${row.merchant}`,
        listingId: `l${row.merchant}-${row.listing}`,
        pricing: row.pricing,
        bidMicros: row.pricing === 'cpc' ? BigInt(row.bid) : BigInt(row.bid) * 20n,
        pctr: row.pctr,
        relevance: row.relevance,
      }),
    ),
  )

export const anyRules: fc.Arbitrary<AuctionRules> = fc.record({
  reserveMicros: fc.bigInt({ min: 0n, max: 500_000n }),
  reserveCpmMicros: fc.bigInt({ min: 0n, max: 5_000_000n }),
  squashing: fc.constantFrom(0, 0.5, 1),
  maxPerMerchant: fc.integer({ min: 1, max: 3 }),
})

export const anySlots = fc.integer({ min: 1, max: 6 })
