import { parseMoney } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuctionRules, reserveOf, runAuction } from './auction.js'
import { anyBidders, anyRules, anySlots } from './testing/arbitraries.js'
import { bidder } from './testing/bidder.js'
import { vcgPrices } from './vcg.js'

const FREE: AuctionRules = { reserveMicros: 0n, reserveCpmMicros: 0n, squashing: 1, maxPerMerchant: 2 }
const textbook = ['5', '4', '3', '2', '1'].map((bid) => bidder(`b${bid}`, bid))
const CLICKS = [20, 10, 5, 2]

describe('the VCG price', () => {
  it('is 3.15, 2.3, 1.6 and 1.0 for bids 5, 4, 3, 2, 1 on 20, 10, 5 and 2 clicks, 96 in all', () => {
    const effects = CLICKS.map((clicks) => clicks / 20)
    const prices = [...vcgPrices('auc_1', textbook, effects, FREE).values()]
    expect(prices).toEqual(['3.15', '2.3', '1.6', '1'].map(parseMoney))
    const revenue = prices.reduce((sum, price, i) => sum + price * BigInt(CLICKS[i]!), 0n)
    expect(revenue).toBe(parseMoney('96'))
  })
  it('follows the formula with quality: (1 / β_i w_i) Σ b_j w_j (β_{j-1} − β_j)', () => {
    const field = [
      bidder('a', '0.9', { pctr: 0.04 }),
      bidder('b', '1.1', { pctr: 0.03 }),
      bidder('c', '0.5', { pctr: 0.02 }),
    ]
    const prices = vcgPrices('auc_1', field, [1, 0.5], FREE)
    // Scores 0.036, 0.033, 0.010: a pays (0.033 × 0.5 + 0.010 × 0.5) / 0.04, b pays 0.010 × 0.5 / (0.5 × 0.03).
    expect(prices.get(field[0]!)).toBe(parseMoney('0.5375'))
    expect(prices.get(field[1]!)).toBe(parseMoney('0.333333'))
  })
  it('is at least the reserve, at most the bid, and never more than the second price where effects fall', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        const limits = { ...rules, maxPerMerchant: 100 }
        // One ad a merchant: with several the two rules leave a merchant's own ads out in different ways.
        const single = field.map((b, i) => ({ ...b, merchantId: `m${i}`, listingId: `l${i}` }))
        const effects = Array.from({ length: slots }, (_, i) => 1 / (i + 1))
        const prices = vcgPrices('auc_p', single, effects, limits)
        for (const { ranked, priceMicros } of runAuction('auc_p', single, slots, limits).winners) {
          const price = prices.get(ranked.bidder)!
          expect(price).toBeGreaterThanOrEqual(reserveOf(ranked.bidder, limits))
          expect(price).toBeLessThanOrEqual(priceMicros)
        }
      }),
      { numRuns: 1000, seed: 20260105 },
    )
  })
  it('comes out the same from winners and decisive losers alone, wherever the page ends', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        const { winners, losers } = runAuction('auc_p', field, slots, rules)
        const decisive = losers.filter(({ role }) => role === 'decisive')
        // Each winner has one that sets its price and one that would have a slot without it, at most.
        expect(decisive.length).toBeLessThanOrEqual(2 * winners.length)
        const kept = [...winners, ...decisive].map(({ ranked }) => ranked.bidder)
        const effects = Array.from({ length: slots }, (_, i) => 1 / (i + 1))
        for (let reached = 1; reached <= slots; reached++) {
          const sold = effects.slice(0, reached)
          expect(vcgPrices('auc_p', kept, sold, rules)).toEqual(vcgPrices('auc_p', field, sold, rules))
        }
      }),
      { numRuns: 1000, seed: 20260105 },
    )
  })
})
