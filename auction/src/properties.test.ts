import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuctionResult, type Bidder, reserveOf, runAuction } from './auction.js'
import { anyBidders, anyRules, anySlots } from './testing/arbitraries.js'
import { tieDraw } from './tie-draw.js'

const RUNS = { numRuns: 1000, seed: 20260105 }
const raise = fc.bigInt({ min: 1n, max: 2_000_000n })

const prices = (result: AuctionResult<Bidder>) =>
  result.winners.map(({ ranked, priceMicros }) => [ranked.bidder.adId, priceMicros])
/** The same bidders, one of them with another bid. */
const withBid = (field: readonly Bidder[], adId: string, change: (bid: bigint) => bigint) =>
  field.map((b) => (b.adId === adId ? { ...b, bidMicros: change(b.bidMicros) } : b))

describe('what always holds of an auction', () => {
  it('slots go from the best score down, and nobody who was not kept out scored better than a winner', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        const { winners, losers } = runAuction('auc_p', field, slots, rules)
        expect(winners.length + losers.length).toBe(field.length)
        winners.forEach(({ ranked, rank }, i) => {
          expect(rank).toBe(i + 1)
          if (i > 0) expect(ranked.score).toBeLessThanOrEqual(winners[i - 1]!.ranked.score)
        })
        const last = winners.at(-1)?.ranked.score ?? 0n
        for (const { ranked, reason } of losers) {
          if (reason === 'outranked' && winners.length > 0) expect(ranked.score).toBeLessThanOrEqual(last)
        }
      }),
      RUNS,
    )
  })

  it('reserve ≤ price ≤ bid; slots, merchants and listings stay within their limits', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        const { winners } = runAuction('auc_p', field, slots, rules)
        expect(winners.length).toBeLessThanOrEqual(slots)
        const perMerchant = new Map<string, number>()
        for (const { ranked, priceMicros } of winners) {
          expect(priceMicros).toBeLessThanOrEqual(ranked.bidder.bidMicros)
          expect(priceMicros).toBeGreaterThanOrEqual(reserveOf(ranked.bidder, rules))
          const { merchantId } = ranked.bidder
          perMerchant.set(merchantId, (perMerchant.get(merchantId) ?? 0) + 1)
        }
        for (const count of perMerchant.values()) expect(count).toBeLessThanOrEqual(rules.maxPerMerchant)
        for (const limit of field.flatMap(({ limits }) => limits ?? [])) {
          const shared = winners.filter(({ ranked }) => ranked.bidder.limits?.includes(limit))
          expect(shared.length).toBeLessThanOrEqual(limit.most)
        }
        expect(new Set(winners.map((w) => w.ranked.bidder.listingId)).size).toBe(winners.length)
      }),
      RUNS,
    )
  })

  it('the order in which bidders come in changes nothing', () => {
    fc.assert(
      fc.property(
        anyBidders.chain((field) =>
          fc.tuple(
            fc.constant(field),
            fc.shuffledSubarray(field, { minLength: field.length, maxLength: field.length }),
          ),
        ),
        anyRules,
        anySlots,
        ([field, shuffled], rules, slots) => {
          expect(prices(runAuction('auc_p', shuffled, slots, rules))).toEqual(
            prices(runAuction('auc_p', field, slots, rules)),
          )
        },
      ),
      RUNS,
    )
  })

  it('a winner that raises its own bid and keeps its slot pays the same', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, fc.nat(), raise, (field, rules, slots, pick, more) => {
        const before = runAuction('auc_p', field, slots, rules).winners
        const winner = before[pick % Math.max(1, before.length)]
        if (!winner) return
        const { adId } = winner.ranked.bidder
        const after = runAuction(
          'auc_p',
          withBid(field, adId, (bid) => bid + more),
          slots,
          rules,
        )
        const now = after.winners.find((w) => w.ranked.bidder.adId === adId)!
        if (now.rank === winner.rank) expect(now.priceMicros).toBe(winner.priceMicros)
      }),
      RUNS,
    )
  })

  it('a competitor that bids more never makes a slot cheaper for a winner that keeps it', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, fc.nat(), raise, (field, rules, slots, pick, more) => {
        const { adId } = field[pick % field.length]!
        const before = runAuction('auc_p', field, slots, rules).winners
        const after = runAuction(
          'auc_p',
          withBid(field, adId, (bid) => bid + more),
          slots,
          rules,
        ).winners
        for (const { ranked, rank, priceMicros } of before) {
          if (ranked.bidder.adId === adId) continue
          const now = after.find((w) => w.ranked.bidder.adId === ranked.bidder.adId)
          if (now?.rank === rank) expect(now.priceMicros).toBeGreaterThanOrEqual(priceMicros)
        }
      }),
      RUNS,
    )
  })

  it('one more bidder that loses never lowers a price, and changes no winner', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, fc.nat(), (field, rules, slots, pick) => {
        const all = runAuction('auc_p', field, slots, rules)
        const loser = all.losers[pick % Math.max(1, all.losers.length)]
        if (!loser) return
        const without = runAuction(
          'auc_p',
          field.filter((b) => b !== loser.ranked.bidder),
          slots,
          rules,
        )
        expect(prices(all).map(([adId]) => adId)).toEqual(prices(without).map(([adId]) => adId))
        for (const [i, { priceMicros }] of all.winners.entries()) {
          expect(priceMicros).toBeGreaterThanOrEqual(without.winners[i]!.priceMicros)
        }
      }),
      RUNS,
    )
  })

  it('nobody pays for a bid of its own merchant: without its other ads the first slot costs the same', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        const { winners } = runAuction('auc_p', field, slots, rules)
        for (const { ranked, next } of winners) {
          expect(next?.bidder.merchantId).not.toBe(ranked.bidder.merchantId)
        }
        const [first] = winners
        if (!first) return
        const { adId, merchantId } = first.ranked.bidder
        const alone = field.filter((b) => b.adId === adId || b.merchantId !== merchantId)
        expect(runAuction('auc_p', alone, slots, rules).winners[0]!.priceMicros).toBe(first.priceMicros)
      }),
      RUNS,
    )
  })

  it('the price is the least bid that keeps the slot: one micro less loses it or meets the reserve', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        const top = runAuction('auc_p', field, slots, rules).winners[0]
        if (!top?.priceSetter || top.priceMicros === top.ranked.bidder.bidMicros) return
        const { adId, merchantId } = top.ranked.bidder
        const rivals = field.filter((b) => b.adId === adId || b.merchantId !== merchantId)
        const firstAt = (bid: bigint) =>
          runAuction(
            'auc_p',
            withBid(rivals, adId, () => bid),
            slots,
            rules,
          ).winners[0]!.ranked.bidder.adId
        expect(firstAt(top.priceMicros - 1n)).not.toBe(adId)
        expect(firstAt(top.priceMicros + 1n)).toBe(adId)
      }),
      RUNS,
    )
  })

  it('without the losers that had no part in it, winners and prices are the same; without a decisive one a price falls', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        const all = runAuction('auc_p', field, slots, rules)
        const decisive = all.losers.filter(({ role }) => role === 'decisive').map((l) => l.ranked.bidder)
        const winners = all.winners.map(({ ranked }) => ranked.bidder)
        expect(prices(runAuction('auc_p', [...winners, ...decisive], slots, rules))).toEqual(prices(all))
        for (const missing of decisive) {
          const rest = [...winners, ...decisive.filter((b) => b !== missing)]
          const priced = all.winners.some((w) => w.priceSetter === missing)
          if (priced) {
            expect(prices(runAuction('auc_p', rest, slots, rules))).not.toEqual(prices(all))
          }
        }
      }),
      RUNS,
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
