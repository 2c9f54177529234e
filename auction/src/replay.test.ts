import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LoggedAuction, LoggedBidder } from './logged-auction.js'
import { replayAuction } from './replay.js'
import { anyBidders, anyRules, anySlots } from './testing/arbitraries.js'
import { HOUSE_RULES, bidder as houseBidder } from './testing/bidder.js'
import { logged } from './testing/logged.js'

const bidder = (name: string, bidMicros: bigint) => houseBidder(name, '0', { bidMicros })
const three = [bidder('a', 900_000n), bidder('b', 600_000n), bidder('c', 300_000n)]
const changed = (auction: LoggedAuction, adId: string, fields: Partial<LoggedBidder>): LoggedAuction => ({
  ...auction,
  bidders: auction.bidders.map((b) => (b.adId === adId ? { ...b, ...fields } : b)),
})

describe('a logged auction', () => {
  it('comes out as logged when it is decided again from what was logged', () => {
    fc.assert(
      fc.property(anyBidders, anyRules, anySlots, (field, rules, slots) => {
        expect(
          replayAuction(logged('auc_p', field, slots, { ...rules, reserveRule: '' })).differences,
        ).toEqual([])
      }),
      { numRuns: 1000, seed: 20260105 },
    )
  })

  it('is told apart from one with another price, winner or reason', () => {
    const auction = logged('auc_1', three, 1, HOUSE_RULES)
    expect(replayAuction(auction).differences).toEqual([])
    expect(replayAuction(changed(auction, 'a', { priceMicros: 599_999n })).differences).toEqual([
      'price of a: logged 0.599999, replayed 0.600000',
    ])
    expect(replayAuction(changed(auction, 'b', { bidMicros: 950_000n })).differences[0]).toBe(
      'position 1: logged a, replayed b',
    )
    expect(replayAuction(changed(auction, 'c', { reason: 'merchant_limit' })).differences).toEqual([
      'reason of c: logged merchant_limit, replayed outranked',
    ])
    const missing = { ...auction, bidders: auction.bidders.filter(({ adId }) => adId !== 'a') }
    expect(replayAuction({ ...missing, forSale: [] }).differences).toEqual([])
    expect(replayAuction(changed(auction, 'a', { bidMicros: 0n })).differences[0]).toBe(
      'position 1: logged a, replayed b',
    )
  })

  it('agrees where the page ended before a winner', () => {
    const auction = logged('auc_1', three, 2, HOUSE_RULES)
    const short = changed(auction, 'b', { position: 0, priceMicros: 0n, reason: 'page_ended' })
    expect(replayAuction(short).differences).toEqual([])
  })
})
