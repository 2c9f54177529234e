import { runAuction } from './auction.js'
import { type LoggedAuction, type LoggedBidder, reachedPositions } from './logged-auction.js'
import { positionEffect } from './position-effect.js'

/** What a campaign would have won at another bid, estimated over the auctions it is given. */
export interface LandscapePoint {
  /** How the bid was changed, in percent: −20 for a fifth less. */
  readonly changePercent: number
  /** Slots won. */
  readonly wins: number
  readonly clicks: number
  readonly spendMicros: number
}

export interface BidLandscape {
  /** How often the campaign's ads bid, those estimated that the log holds a sample of. */
  readonly bids: number
  readonly points: readonly LandscapePoint[]
}

/** A landscape in the making. */
export interface BidLandscapeSum {
  add(logged: LoggedAuction): void
  result(): BidLandscape
}

/**
 * Runs logged auctions again with one campaign's bids changed and everything else as it was, and adds up what it would have won.
 *
 * The bid that is changed is the one that entered the auction, after target ROAS, pacing and what remained. A bidder that is in the log
 * with probability p counts 1/p times (Horvitz & Thompson 1952), so that losers, of whom a sample is logged, are neither over- nor
 * under-counted. Every won slot is taken to be seen; a click comes with pCTR × `positionEffect`.
 *
 * @param changesPercent whole percents, −20 for a fifth less
 */
export function createBidLandscape(campaignId: string, changesPercent: readonly number[]): BidLandscapeSum {
  let bids = 0
  const points = changesPercent.map((changePercent) => ({
    changePercent,
    wins: 0,
    clicks: 0,
    spendMicros: 0,
  }))
  return {
    add(logged) {
      for (const bidder of logged.bidders) {
        if (bidder.campaignId === campaignId) bids += 1 / bidder.sampleProbability
      }
      for (const point of points) {
        for (const { ranked, rank, priceMicros } of rerun(logged, campaignId, point.changePercent)) {
          const { pricing, pctr, sampleProbability } = ranked.bidder
          const weight = 1 / sampleProbability
          const clicks = pctr * positionEffect(logged.forSale[rank - 1]!)
          point.wins += weight
          point.clicks += weight * clicks
          point.spendMicros += weight * Number(priceMicros) * (pricing === 'cpc' ? clicks : 1 / 1000)
        }
      }
    },
    result: () => ({ bids, points: points.map((point) => ({ ...point })) }),
  }
}

/** The campaign's winners of one auction with its bids changed. */
function rerun(logged: LoggedAuction, campaignId: string, changePercent: number) {
  const bidders = logged.bidders.map((bidder): LoggedBidder => {
    if (bidder.campaignId !== campaignId || changePercent === 0) return bidder
    return { ...bidder, bidMicros: (bidder.bidMicros * BigInt(100 + changePercent)) / 100n }
  })
  const { winners } = runAuction(logged.auctionId, bidders, reachedPositions(logged).length, logged.rules)
  return winners.filter(({ ranked }) => ranked.bidder.campaignId === campaignId)
}
