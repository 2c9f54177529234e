import fc from 'fast-check'
import type { AuctionRules, Bidder, SlotLimit } from '../auction.js'

const quality = fc.integer({ min: 1, max: 1000 }).map((n) => n / 1000)

const MERCHANTS = 6
const most = fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined })

/**
 * A field of bidders of few merchants, campaigns and listings, so that limits and equal scores come up; frequency caps leave some merchants,
 * and the first of each merchant's two campaigns, only so many slots.
 */
export const anyBidders: fc.Arbitrary<(Bidder & { readonly campaignId: string })[]> = fc
  .tuple(
    fc.array(
      fc.record({
        merchant: fc.integer({ min: 0, max: MERCHANTS - 1 }),
        campaign: fc.integer({ min: 0, max: 1 }),
        listing: fc.integer({ min: 0, max: 12 }),
        pricing: fc.constantFrom('cpc' as const, 'cpm' as const),
        bid: fc.oneof(fc.integer({ min: 0, max: 3_000_000 }), fc.constantFrom(500_000, 1_000_000)),
        pctr: fc.oneof(quality, fc.constant(0.05)),
        relevance: fc.oneof(quality, fc.constant(1)),
      }),
      { minLength: 1, maxLength: 16 },
    ),
    fc.array(fc.tuple(most, most), { minLength: MERCHANTS, maxLength: MERCHANTS }),
  )
  .map(([rows, caps]) => {
    const limits = caps.map(([ofMerchant, ofCampaign]) => ({
      merchant: limit('merchant_frequency_cap', ofMerchant),
      campaign: limit('frequency_cap', ofCampaign),
    }))
    return rows.map((row, i) => {
      const { merchant, campaign } = limits[row.merchant]!
      const shared = [...(row.campaign === 0 ? campaign : []), ...merchant]
      return {
        adId: `ad${i}`,
        campaignId: `c${row.merchant}-${row.campaign}`,
        merchantId: `m${row.merchant}`,
        listingId: `l${row.merchant}-${row.listing}`,
        pricing: row.pricing,
        bidMicros: row.pricing === 'cpc' ? BigInt(row.bid) : BigInt(row.bid) * 20n,
        pctr: row.pctr,
        relevance: row.relevance,
        ...(shared.length > 0 && { limits: shared }),
      }
    })
  })

const limit = (reason: SlotLimit['reason'], most: number | undefined): SlotLimit[] =>
  most === undefined ? [] : [{ most, reason }]

export const anyRules: fc.Arbitrary<AuctionRules> = fc.record({
  reserveMicros: fc.bigInt({ min: 0n, max: 500_000n }),
  reserveCpmMicros: fc.bigInt({ min: 0n, max: 5_000_000n }),
  squashing: fc.constantFrom(0, 0.5, 1),
  maxPerMerchant: fc.integer({ min: 1, max: 3 }),
})

export const anySlots = fc.integer({ min: 1, max: 6 })
