import { type Bidder, runAuction } from '../auction.js'
import { type LoggedAuction, type LoggedBidder, withCaps } from '../logged-auction.js'
import type { RulesInForce } from '../rulebook.js'

const LOSERS_KEPT = 2

/** An auction as serving logs it: winners at positions 1, 2, 3…, losers that had to do with it, and the first few of the others. */
export function logged(
  auctionId: string,
  bidders: readonly (Bidder & { readonly campaignId?: string })[],
  slots: number,
  rules: RulesInForce,
): LoggedAuction {
  const { winners, losers } = runAuction(auctionId, bidders, slots, rules)
  const remembered = (bidder: (typeof bidders)[number], fate: Partial<LoggedBidder>): LoggedBidder => ({
    campaignId: `c-${bidder.adId}`,
    ...bidder,
    limits: undefined,
    pcvr: 0.01,
    position: 0,
    priceMicros: 0n,
    reason: '',
    sampleProbability: 1,
    organicRank: 0,
    organicScore: null,
    ...fate,
  })
  const others = losers.filter(({ role }) => role === 'none')
  const sampled = others.slice(0, LOSERS_KEPT)
  return {
    auctionId,
    currency: 'EUR',
    rules,
    totalSlots: slots,
    forSale: Array.from({ length: slots }, (_, i) => i + 1),
    bidders: withCaps([
      ...winners.map(({ ranked, rank, priceMicros }) =>
        remembered(ranked.bidder, { position: rank, priceMicros }),
      ),
      ...losers
        .filter(({ role }) => role !== 'none')
        .map(({ ranked, reason }) => remembered(ranked.bidder, { reason })),
      ...sampled.map(({ ranked, reason }) =>
        remembered(ranked.bidder, { reason, sampleProbability: sampled.length / others.length }),
      ),
    ]),
  }
}
