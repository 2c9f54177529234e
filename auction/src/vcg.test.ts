import { parseMoney } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuctionRules, type Bidder, reserveOf, runAuction } from './auction.js'
import { positionEffect } from './position-effect.js'
import { replayAuction } from './replay.js'
import { anyBidders, anyRules, anySlots } from './testing/arbitraries.js'
import { bidder } from './testing/bidder.js'
import { logged } from './testing/logged.js'
import { vcgPrices } from './vcg.js'

const FREE: AuctionRules = { reserveMicros: 0n, reserveCpmMicros: 0n, squashing: 1, maxPerMerchant: 2 }
const textbook = ['5', '4', '3', '2', '1'].map((bid) => bidder(`b${bid}`, bid))
const CLICKS = [20, 10, 5, 2]

/** Of an auction that is held here. */
const pricesOf = <B extends Bidder>(field: readonly B[], effects: readonly number[], rules: AuctionRules) =>
  vcgPrices('auc_1', runAuction('auc_1', field, effects.length, rules), effects, rules)

describe('the VCG price', () => {
  it('is 3.15, 2.3, 1.6 and 1.0 for bids 5, 4, 3, 2, 1 on 20, 10, 5 and 2 clicks, 96 in all', () => {
    const effects = CLICKS.map((clicks) => clicks / 20)
    const prices = [...pricesOf(textbook, effects, FREE).values()]
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
    const prices = pricesOf(field, [1, 0.5], FREE)
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
        const prices = pricesOf(single, effects, limits)
        for (const { ranked, priceMicros } of runAuction('auc_1', single, slots, limits).winners) {
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
        const all = runAuction('auc_p', field, slots, rules)
        const decisive = all.losers.filter(({ role }) => role === 'decisive')
        // Each winner has one that sets its price and one that would have a slot without it, at most.
        expect(decisive.length).toBeLessThanOrEqual(2 * all.winners.length)
        const effects = Array.from({ length: slots }, (_, i) => 1 / (i + 1))
        for (let reached = 1; reached <= slots; reached++) {
          const sold = effects.slice(0, reached)
          expect(vcgPrices('auc_p', { ...all, losers: decisive }, sold, rules)).toEqual(
            vcgPrices('auc_p', all, sold, rules),
          )
        }
      }),
      { numRuns: 1000, seed: 20260105 },
    )
  })
  it('is there for every winner, whatever frequency caps kept others out', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        const { winners } = runAuction('auc_1', field, slots, rules)
        const effects = Array.from({ length: slots }, (_, i) => 1 / (i + 1))
        expect([...pricesOf(field, effects, rules).keys()]).toEqual(
          winners.map(({ ranked }) => ranked.bidder),
        )
      }),
      { numRuns: 1000, seed: 20260105 },
    )
  })
  it('leaves out whom a frequency cap kept out', () => {
    const cap = { most: 1, reason: 'merchant_frequency_cap' } as const
    const field = [
      bidder('a1', '0.90', { merchantId: 'm', limits: [cap] }),
      bidder('a2', '0.80', { merchantId: 'm', limits: [cap] }),
      bidder('b', '0.60'),
    ]
    // Without a1 its slot is b's.
    expect([...pricesOf(field, [1], FREE).values()]).toEqual([parseMoney('0.60')])
    const uncapped = field.map(({ limits: _, ...rest }) => rest)
    expect([...pricesOf(uncapped, [1], FREE).values()]).toEqual([0n])
  })
  it('comes out of the log as it was, also where a cap kept out nobody that the log tells of', () => {
    const ofLog = (field: Parameters<typeof logged>[1], slots: number, rules: AuctionRules) => {
      const record = logged('auc_1', field, slots, { ...rules, reserveRule: '' })
      const effects = record.forSale.map(positionEffect)
      const again = vcgPrices('auc_1', replayAuction(record).result, effects, rules)
      const before = pricesOf(field, effects, rules)
      return [again, before].map((prices) => [...prices].map(([{ adId }, price]) => [adId, price]))
    }
    const cap = { most: 1, reason: 'frequency_cap' } as const
    const twice = { merchantId: 'm', campaignId: 'c2', limits: [cap] }
    // Without a1, a2 would show the listing, and the cap would keep out a3.
    const field = [
      bidder('a1', '0.90', { merchantId: 'm', listingId: 'l' }),
      { ...bidder('a2', '0.80', { listingId: 'l' }), ...twice },
      { ...bidder('a3', '0.70'), ...twice },
      bidder('b', '0.50'),
    ]
    const [again, before] = ofLog(field, 2, FREE)
    expect(again).toEqual(before)
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (any, rules, slots) => {
        const [again, before] = ofLog(any, slots, rules)
        expect(again).toEqual(before)
      }),
      { numRuns: 1000, seed: 20260105 },
    )
  })
})
