import type { Micros } from '@endcap/contracts'
import type { Bidder } from './auction.js'
import type { RulesInForce } from './rulebook.js'

/** A bidder as the log remembers it, with what became of it. */
export interface LoggedBidder extends Bidder {
  readonly campaignId: string
  readonly pcvr: number
  /** 1-based position on the page; 0 when it was not shown. */
  readonly position: number
  /** '0' unless it was shown. */
  readonly priceMicros: Micros
  /** Why it was not shown; '' when it was. */
  readonly reason: string
  /** With which probability it came into the log; 1 for whoever had to do with the result. */
  readonly sampleProbability: number
  /** 1-based rank among the request's organic results; 0 when it was not one. */
  readonly organicRank: number
  readonly organicScore: number | null
}

/** Everything that decided an auction, as the log holds it: nothing of today's campaigns, rules or models is needed to decide it again. */
export interface LoggedAuction {
  readonly auctionId: string
  readonly currency: string
  readonly rules: RulesInForce
  /** How many slots the page could have. */
  readonly totalSlots: number
  /** The positions for sale, ascending. */
  readonly forSale: readonly number[]
  /** Every winner, every loser that had to do with a price, and a sample of the rest. */
  readonly bidders: readonly LoggedBidder[]
}

/** The positions for sale that the page reached: where it ended before one of them, it would have ended there for others as well. */
export function reachedPositions({ bidders, forSale }: LoggedAuction): readonly number[] {
  return bidders.some(({ reason }) => reason === 'page_ended')
    ? forSale.slice(0, bidders.filter(({ position }) => position > 0).length)
    : forSale
}
