import { type ExplainedCandidate, formatPrice } from '@endcap/contracts'
import { qualityOf, type Ranked, scoreToFloat, type Winner } from '../../domain/auction.js'
import type { Candidate } from '../candidate.js'
import { DROP_REASONS, type DropLedger } from '../drop-reasons.js'
import type { Loss } from './auction-event.js'

/** Why every ad that the request met won, lost or dropped. Prices: per click for cpc, per thousand impressions for cpm. */
export function explainCandidates(
  winners: readonly Winner<Candidate>[],
  losers: readonly Loss[],
  drops: DropLedger,
): ExplainedCandidate[] {
  return [
    ...winners.map((winner) => ({
      ...ranking(winner.ranked),
      outcome: 'won' as const,
      reason: winner.priceSetter ? 'second_price' : 'reserve_price',
      price: formatPrice(winner.priceMicros),
    })),
    ...losers.map(({ ranked, reason }) => ({
      ...ranking(ranked),
      outcome: DROP_REASONS[reason].outcome,
      reason,
      price: null,
    })),
    ...drops.details.map(({ listingId, campaignId, reason, bidMicros }) => ({
      listingId,
      campaignId,
      outcome: DROP_REASONS[reason].outcome,
      reason,
      bid: formatPrice(bidMicros),
      pctr: null,
      pcvr: null,
      quality: null,
      score: null,
      price: null,
    })),
  ]
}

const ranking = ({ bidder, score }: Ranked<Candidate>) => ({
  listingId: bidder.listingId,
  campaignId: bidder.campaign.id,
  bid: formatPrice(bidder.bidMicros),
  pctr: bidder.pctr,
  pcvr: bidder.pcvr,
  quality: qualityOf(bidder),
  score: scoreToFloat(score),
})
