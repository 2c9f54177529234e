import { parseMoney } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import { type AuctionRules, type Bidder, runAuction } from './auction.js'
import { effectiveBid } from './bid.js'
import { bidder, HOUSE_RULES } from './testing/bidder.js'

const rules = (over: Partial<AuctionRules> = {}): AuctionRules => ({ ...HOUSE_RULES, ...over })
const outcome = (bidders: Bidder[], slots: number, over: Partial<AuctionRules> = {}) =>
  runAuction('auc_1', bidders, slots, rules(over)).winners.map((w) => [w.ranked.bidder.adId, w.priceMicros])

describe('generalised second price, golden cases', () => {
  it('gives no slot to one ad below the reserve', () => {
    const result = runAuction('auc_1', [bidder('a', '0.09')], 1, rules())
    expect(result.winners).toEqual([])
    expect(result.losers.map((l) => l.reason)).toEqual(['below_reserve'])
  })
  it('lets one ad above the reserve win at the reserve', () => {
    expect(outcome([bidder('a', '0.75')], 1)).toEqual([['a', 100_000n]])
  })
  it('charges the reserve when it lies between the first and the second bid', () => {
    expect(outcome([bidder('a', '0.75'), bidder('b', '0.05')], 1)).toEqual([['a', 100_000n]])
  })
  it('draws between two equal bids; the winner pays its full bid', () => {
    const bidders = [bidder('a', '0.75'), bidder('b', '0.75')]
    const winners = new Map<string, number>()
    for (let i = 0; i < 400; i++) {
      const { winners: won, losers } = runAuction(`auc_${i}`, bidders, 1, rules())
      expect(won[0]!.priceMicros).toBe(750_000n)
      expect(won[0]!.ranked.draw).toBeLessThan(losers[0]!.ranked.draw!)
      winners.set(won[0]!.ranked.bidder.adId, (winners.get(won[0]!.ranked.bidder.adId) ?? 0) + 1)
    }
    expect(winners.get('a')).toBeGreaterThan(150)
    expect(winners.get('b')).toBeGreaterThan(150)
  })
  it('earns 122 from bids 5,4,3,2,1 on slots with 20,10,5,2 clicks', () => {
    const clicks = [20n, 10n, 5n, 2n]
    const result = outcome(
      ['5', '4', '3', '2', '1'].map((bid) => bidder(`b${bid}`, bid)),
      4,
      { reserveMicros: 0n },
    )
    expect(result.map(([name]) => name)).toEqual(['b5', 'b4', 'b3', 'b2'])
    const revenue = result.reduce((sum, [, price], i) => sum + clicks[i]! * (price as bigint), 0n)
    expect(revenue).toBe(122_000_000n)
  })
  it('sells one impression of a cpm bid of 1000 × the budget, then none', () => {
    const bid = (remainingMicros: bigint) =>
      effectiveBid({
        pricing: 'cpm',
        bidMicros: parseMoney('2000'),
        targetRoas: null,
        pctr: 0.03,
        pcvr: 0.02,
        orderValueMicros: 0n,
        multiplier: 1,
        remainingMicros,
      })
    expect(bid(parseMoney('2'))).toBe(parseMoney('2000'))
    expect(bid(0n)).toBe(0n)
    expect(outcome([bidder('a', '0', { pricing: 'cpm', bidMicros: bid(0n) })], 1)).toEqual([])
  })
})

describe('quality', () => {
  it('ranks by bid × quality and prices by the displaced score ÷ own quality, rounded up once', () => {
    const a = bidder('a', '0.50', { pctr: 0.03 })
    const b = bidder('b', '0.70', { pctr: 0.02 })
    expect(outcome([a, b], 2)).toEqual([
      ['a', 466_667n],
      ['b', 100_000n],
    ])
  })
  it('is exact where the division is exact', () => {
    expect(outcome([bidder('a', '0.75', { pctr: 0.03 }), bidder('b', '0.75', { pctr: 0.02 })], 1)).toEqual([
      ['a', 500_000n],
    ])
  })
  it('ranks by bid alone with squashing 0', () => {
    expect(
      outcome([bidder('a', '0.50', { pctr: 0.9 }), bidder('b', '0.70', { pctr: 0.01 })], 1, { squashing: 0 }),
    ).toEqual([['b', 500_000n]])
  })
  it('lets cpm and cpc compete by money per impression', () => {
    const cpm = bidder('cpm', '25', { pricing: 'cpm' })
    const cpc = bidder('cpc', '0.75', { pctr: 0.03 })
    expect(outcome([cpm, cpc], 1)).toEqual([['cpm', parseMoney('22.5')]])
    expect(outcome([bidder('cpm', '20', { pricing: 'cpm' }), cpc], 1)).toEqual([['cpc', 666_667n]])
  })
  it('prices a bidder of zero quality without dividing by zero', () => {
    expect(outcome([bidder('a', '0.75', { pctr: 0 }), bidder('b', '0.75', { pctr: 0 })], 1)[0]![1]).toBe(
      750_000n,
    )
  })
})

describe('merchants and listings', () => {
  it('never prices a merchant against itself', () => {
    const own = [
      bidder('a1', '0.75', { merchantId: 'm' }),
      bidder('a2', '0.70', { merchantId: 'm' }),
      bidder('b', '0.30'),
    ]
    expect(outcome(own, 1)).toEqual([['a1', 300_000n]])
  })
  it('passes over a merchant that has its slots, and does not let it set prices', () => {
    const result = runAuction(
      'auc_1',
      [
        bidder('a1', '0.90', { merchantId: 'm' }),
        bidder('b', '0.80'),
        bidder('a2', '0.70', { merchantId: 'm' }),
        bidder('c', '0.20'),
      ],
      3,
      rules({ maxPerMerchant: 1 }),
    )
    expect(result.winners.map((w) => [w.ranked.bidder.adId, w.priceMicros])).toEqual([
      ['a1', 800_000n],
      ['b', 200_000n],
      ['c', 100_000n],
    ])
    expect(result.losers.map((l) => [l.ranked.bidder.adId, l.reason])).toEqual([['a2', 'merchant_limit']])
  })
  it('tells what each loser had to do with the result', () => {
    const result = runAuction(
      'auc_1',
      [
        bidder('a1', '0.90', { merchantId: 'm' }),
        // Would have the slot without a1, and so is in its VCG price.
        bidder('a2', '0.80', { merchantId: 'm' }),
        bidder('a3', '0.75', { merchantId: 'm' }),
        bidder('b', '0.70'),
        bidder('c', '0.60'),
        bidder('d', '0.05'),
      ],
      1,
      rules({ maxPerMerchant: 1 }),
    )
    expect(result.losers.map((l) => [l.ranked.bidder.adId, l.reason, l.role])).toEqual([
      ['a2', 'outranked', 'decisive'],
      ['a3', 'outranked', 'passed_over'],
      ['b', 'outranked', 'decisive'],
      ['c', 'outranked', 'none'],
      ['d', 'below_reserve', 'none'],
    ])
  })
  it('shows a listing once though two campaigns bid for it', () => {
    const result = runAuction(
      'auc_1',
      [
        bidder('a1', '0.90', { merchantId: 'm', listingId: 'l' }),
        bidder('a2', '0.80', { merchantId: 'm', listingId: 'l' }),
      ],
      2,
      rules(),
    )
    expect(result.winners).toHaveLength(1)
    expect(result.losers[0]!.reason).toBe('already_shown')
  })
})
