import {
  explainPrice,
  explainRanked,
  explainRules,
  exportCase,
  type LoggedAuction,
  type LoggedBidder,
  positionEffect,
  type Replay,
  reachedPositions,
  replayAuction,
  vcgPrices,
  wonBy,
} from '@endcap/auction'
import { EndcapError, formatPrice, type LoggedAuctionAnswer, madeAtMs } from '@endcap/contracts'
import type { StoredCandidate } from '@endcap/storage/clickhouse'
import { notFound } from '@endcap/storage/http'
import { type AuctionRecord, findAuction, loggedAuction } from '../../auction-log/logged-auctions.js'
import type { CampaignsApiDeps } from '../../deps.js'
import { fromReportStore } from '../../reports/report-store.js'

/**
 * A logged auction, decided again from nothing but the log.
 * @throws gone for one whose id was made longer ago than auctions are kept; not_found for any other that is not in the log
 */
export async function explainLoggedAuction(
  deps: CampaignsApiDeps,
  auctionId: string,
): Promise<LoggedAuctionAnswer> {
  const record = await fromReportStore(() => findAuction(deps.clickhouse, auctionId))
  if (!record) throw isForgotten(auctionId, deps.clock()) ? forgotten() : notFound('auction')
  const { auction, candidates } = record
  const { placement, query, searchTerm, categories, device, modelVersion, degraded, drops } = auction
  return {
    auctionId,
    occurredAt: auction.occurredAt,
    placement,
    query,
    searchTerm,
    categories,
    device,
    modelVersion,
    degraded,
    currency: auction.currency,
    totalSlots: auction.totalSlots,
    forSale: auction.forSale,
    slots: candidates.filter(({ position }) => position > 0).map(shownSlot),
    drops,
    ...(auction.hasTerms ? decidedAgain(record) : UNDECIDABLE),
  }
}

/** As long as ClickHouse keeps auctions. */
const KEPT_MONTHS = 13

function isForgotten(auctionId: string, nowMs: number): boolean {
  const madeMs = madeAtMs('auction', auctionId)
  const oldest = new Date(nowMs)
  oldest.setUTCMonth(oldest.getUTCMonth() - KEPT_MONTHS)
  return madeMs !== undefined && madeMs < oldest.getTime()
}

const forgotten = () =>
  new EndcapError('gone', `auctions are kept for ${KEPT_MONTHS} months, and this id is of one before`)

const UNDECIDABLE = { rules: null, outcomes: [], replay: null, case: null }

function shownSlot(slot: StoredCandidate): LoggedAuctionAnswer['slots'][number] {
  const { position, listingId, sponsored } = slot
  if (!sponsored || slot.pricing === '') {
    return { position, listingId, sponsored, campaignId: null, adId: null, pricing: null, price: null }
  }
  const { campaignId, adId, pricing, priceMicros } = slot
  return { position, listingId, sponsored, campaignId, adId, pricing, price: formatPrice(priceMicros) }
}

function decidedAgain(record: AuctionRecord) {
  const logged = loggedAuction(record)
  const replay = replayAuction(logged)
  const { occurredAt, placement, query, categories, device } = record.auction
  const organic = record.candidates
    .filter(({ sponsored, position }) => !sponsored && position > 0)
    .map(({ listingId, organicScore, organicRank }) => ({
      listingId,
      score: organicScore ?? 0,
      rank: organicRank,
    }))
  return {
    rules: explainRules(logged.rules),
    outcomes: outcomesOf(logged, replay),
    replay: { agrees: replay.differences.length === 0, differences: [...replay.differences] },
    case: exportCase(logged, { occurredAt, placement, query, categories, device, organic }),
  }
}

function outcomesOf(logged: LoggedAuction, { result }: Replay): LoggedAuctionAnswer['outcomes'] {
  const { auctionId, rules } = logged
  const vcg = vcgPrices(auctionId, result, reachedPositions(logged).map(positionEffect), rules)
  const fromLog = ({ campaignId, position, sampleProbability }: LoggedBidder) => ({
    campaignId,
    position,
    sampleProbability,
  })
  return [
    ...result.winners.map((winner) => {
      const { bidder } = winner.ranked
      const shown = bidder.position > 0
      // None for a winner that only a damaged log says was shown.
      const vcgMicros = vcg.get(bidder)
      return {
        ...explainRanked(winner.ranked),
        ...fromLog(bidder),
        outcome: shown ? ('won' as const) : ('outranked' as const),
        reason: shown ? wonBy(winner) : bidder.reason,
        price: shown ? formatPrice(winner.priceMicros) : null,
        pricedBy:
          shown && vcgMicros !== undefined
            ? explainPrice(winner, rules, vcgMicros, ({ campaignId }) => campaignId)
            : null,
      }
    }),
    ...result.losers.map(({ ranked, reason }) => ({
      ...explainRanked(ranked),
      ...fromLog(ranked.bidder),
      outcome: reason === 'outranked' ? ('outranked' as const) : ('dropped' as const),
      reason,
      price: null,
      pricedBy: null,
    })),
  ]
}
