import type { Micros } from '@endcap/contracts'
import { type Bidder, isCap, type SlotLimit } from './auction.js'
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

/**
 * The bidders with the limits of the customer's frequency caps as they held. The log has a cap only where it kept somebody out, and it did
 * that once as many had won as it let in.
 */
export function withCaps(bidders: readonly LoggedBidder[]): readonly LoggedBidder[] {
  if (!bidders.some(({ reason }) => isCap(reason))) return bidders
  const limits = new Map<string, SlotLimit>()
  const ofCampaign = ({ campaignId }: LoggedBidder): string => `campaign ${campaignId}`
  const ofMerchant = ({ merchantId }: LoggedBidder): string => `merchant ${merchantId}`
  for (const bidder of bidders) {
    const { reason } = bidder
    if (!isCap(reason)) continue
    const sharerOf = reason === 'frequency_cap' ? ofCampaign : ofMerchant
    const most = bidders.filter((other) => hasWon(other) && sharerOf(other) === sharerOf(bidder)).length
    limits.set(sharerOf(bidder), { most, reason })
  }
  return bidders.map((bidder) => ({
    ...bidder,
    limits: [limits.get(ofCampaign(bidder)), limits.get(ofMerchant(bidder))].filter(
      (limit) => limit !== undefined,
    ),
  }))
}

/** Whether it was shown, or won a slot that the page was too short for. */
const hasWon = ({ position, reason }: LoggedBidder): boolean => position > 0 || reason === 'page_ended'

/** The positions for sale that the page reached: where it ended before one of them, it would have ended there for others as well. */
export function reachedPositions({ bidders, forSale }: LoggedAuction): readonly number[] {
  return bidders.some(({ reason }) => reason === 'page_ended')
    ? forSale.slice(0, bidders.filter(({ position }) => position > 0).length)
    : forSale
}
