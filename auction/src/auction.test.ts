import { parseMoney } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuctionRules, type Bidder, runAuction } from './auction.js'
import { effectiveBid } from './bid.js'
import { tieDraw } from './tie-draw.js'

const rules = (over: Partial<AuctionRules> = {}): AuctionRules => ({
  reserveMicros: parseMoney('0.10'),
  reserveCpmMicros: 0n,
  squashing: 1,
  maxPerMerchant: 2,
  ...over,
})

const bidder = (name: string, bid: string, over: Partial<Bidder> = {}): Bidder => ({
  adId: name,
  merchantId: `m-${name}`,
  listingId: `l-${name}`,
  pricing: 'cpc',
  bidMicros: parseMoney(bid),
  pctr: 0.03,
  relevance: 1,
  ...over,
})

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

const quality = fc.integer({ min: 1, max: 1000 }).map((n) => n / 1000)
const bidders = fc
  .array(
    fc.record({
      merchant: fc.integer({ min: 0, max: 5 }),
      listing: fc.integer({ min: 0, max: 12 }),
      pricing: fc.constantFrom('cpc' as const, 'cpm' as const),
      bid: fc.integer({ min: 0, max: 3_000_000 }),
      pctr: quality,
      relevance: quality,
    }),
    { minLength: 1, maxLength: 14 },
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
const anyRules = fc.record({
  reserveMicros: fc.bigInt({ min: 0n, max: 500_000n }),
  reserveCpmMicros: fc.bigInt({ min: 0n, max: 5_000_000n }),
  squashing: fc.constantFrom(0, 0.5, 1),
  maxPerMerchant: fc.integer({ min: 1, max: 3 }),
})
const slots = fc.integer({ min: 1, max: 6 })

const view = (result: ReturnType<typeof runAuction>) =>
  result.winners.map((w) => `${w.ranked.bidder.adId}@${w.priceMicros}`)

describe('what always holds', () => {
  it('price ≤ bid and ≥ reserve; slots, merchants and listings within their limits', () => {
    fc.assert(
      fc.property(bidders, anyRules, slots, (field, r, n) => {
        const { winners, losers } = runAuction('auc_p', field, n, r)
        expect(winners.length).toBeLessThanOrEqual(n)
        expect(winners.length + losers.length).toBe(field.length)
        const perMerchant = new Map<string, number>()
        for (const { ranked, priceMicros } of winners) {
          const { bidder: b } = ranked
          expect(priceMicros).toBeLessThanOrEqual(b.bidMicros)
          expect(priceMicros).toBeGreaterThanOrEqual(
            b.pricing === 'cpc' ? r.reserveMicros : r.reserveCpmMicros,
          )
          perMerchant.set(b.merchantId, (perMerchant.get(b.merchantId) ?? 0) + 1)
        }
        for (const count of perMerchant.values()) expect(count).toBeLessThanOrEqual(r.maxPerMerchant)
        expect(new Set(winners.map((w) => w.ranked.bidder.listingId)).size).toBe(winners.length)
      }),
      { numRuns: 500 },
    )
  })
  it('the order in which bidders come in changes nothing', () => {
    fc.assert(
      fc.property(bidders, anyRules, slots, fc.infiniteStream(fc.nat()), (field, r, n, random) => {
        const shuffled = field
          .map((b) => ({ b, at: random.next().value as number }))
          .sort((x, y) => x.at - y.at)
          .map(({ b }) => b)
        expect(view(runAuction('auc_p', shuffled, n, r))).toEqual(view(runAuction('auc_p', field, n, r)))
      }),
      { numRuns: 500 },
    )
  })
  it('a winner that raises its bid and keeps its slot pays the same', () => {
    fc.assert(
      fc.property(
        bidders,
        anyRules,
        slots,
        fc.nat(),
        fc.bigInt({ min: 1n, max: 2_000_000n }),
        (field, r, n, pick, more) => {
          const before = runAuction('auc_p', field, n, r).winners
          const winner = before[pick % Math.max(1, before.length)]
          if (!winner) return
          const { adId, bidMicros } = winner.ranked.bidder
          const after = runAuction(
            'auc_p',
            field.map((b) => (b.adId === adId ? { ...b, bidMicros: bidMicros + more } : b)),
            n,
            r,
          ).winners.find((w) => w.ranked.bidder.adId === adId)!
          // In a tie the winner's price is its bid only because the rival's score equals it: that score is still the price.
          if (after.rank === winner.rank) expect(after.priceMicros).toBe(winner.priceMicros)
        },
      ),
      { numRuns: 1000 },
    )
  })
  it('a competitor that bids more never makes the top slot cheaper for the same winner', () => {
    fc.assert(
      fc.property(
        bidders,
        anyRules,
        slots,
        fc.nat(),
        fc.bigInt({ min: 1n, max: 2_000_000n }),
        (field, r, n, pick, more) => {
          const before = runAuction('auc_p', field, n, r).winners[0]
          const rival = field[pick % field.length]!
          if (!before || rival.adId === before.ranked.bidder.adId) return
          const after = runAuction(
            'auc_p',
            field.map((b) => (b === rival ? { ...b, bidMicros: b.bidMicros + more } : b)),
            n,
            r,
          ).winners[0]!
          if (after.ranked.bidder.adId === before.ranked.bidder.adId) {
            expect(after.priceMicros).toBeGreaterThanOrEqual(before.priceMicros)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
  it('the price is the least bid that keeps the slot: one micro less loses it or meets the reserve', () => {
    fc.assert(
      fc.property(bidders, anyRules, slots, (field, r, n) => {
        const top = runAuction('auc_p', field, n, r).winners[0]
        if (!top?.priceSetter || top.priceMicros === top.ranked.bidder.bidMicros) return
        const { adId, merchantId } = top.ranked.bidder
        const cheaper = field.filter((b) => b.adId === adId || b.merchantId !== merchantId)
        const at = (bidMicros: bigint) =>
          runAuction(
            'auc_p',
            cheaper.map((b) => (b.adId === adId ? { ...b, bidMicros } : b)),
            n,
            r,
          ).winners[0]!.ranked.bidder.adId
        expect(at(top.priceMicros - 1n)).not.toBe(adId)
        expect(at(top.priceMicros + 1n)).toBe(adId)
      }),
      { numRuns: 500 },
    )
  })
  it('draws are spread evenly over bidders', () => {
    const first = Array.from({ length: 3000 }, (_, i) => {
      const draws = ['a', 'b', 'c'].map((id) => tieDraw(`auc_${i}`, id))
      return draws.indexOf(Math.min(...draws))
    })
    for (const who of [0, 1, 2]) expect(first.filter((w) => w === who).length).toBeGreaterThan(850)
  })
})

describe('the bid that enters the auction', () => {
  const inputs = {
    pricing: 'cpc' as const,
    bidMicros: parseMoney('1'),
    targetRoas: null,
    pctr: 0.03,
    pcvr: 0.02,
    orderValueMicros: parseMoney('40'),
    multiplier: 1,
    remainingMicros: undefined,
  }
  it('follows target ROAS up to the merchant’s own bid', () => {
    expect(effectiveBid({ ...inputs, targetRoas: 4 })).toBe(parseMoney('0.2'))
    expect(effectiveBid({ ...inputs, targetRoas: 0.5 })).toBe(parseMoney('1'))
    expect(effectiveBid({ ...inputs, targetRoas: 4, pricing: 'cpm', bidMicros: parseMoney('100') })).toBe(
      parseMoney('6'),
    )
  })
  it('is held by pacing and by what remains, and never negative', () => {
    expect(effectiveBid({ ...inputs, multiplier: 0.5 })).toBe(parseMoney('0.5'))
    expect(effectiveBid({ ...inputs, remainingMicros: parseMoney('0.3') })).toBe(parseMoney('0.3'))
    expect(effectiveBid({ ...inputs, multiplier: 0 })).toBe(0n)
  })
})
