import {
  bidSteps,
  explainPrice,
  explainRanked,
  explainRules,
  positionEffect,
  type Ranked,
  type RulesInForce,
  vcgPrices,
  type Winner,
  wonBy,
} from '@endcap/auction'
import { type ExplainedCandidate, type Explanation, formatPrice, type Micros } from '@endcap/contracts'
import { bidInputsOf, type Candidate } from '../candidate.js'
import { DROP_REASONS, type DropLedger } from '../drop-reasons.js'
import type { Loss } from './auction-event.js'

export interface ExplainInput {
  readonly auctionId: string
  readonly winners: readonly Winner<Candidate>[]
  readonly losers: readonly Loss[]
  readonly drops: DropLedger
  readonly rules: RulesInForce
  /** In any order. */
  readonly forSale: readonly number[]
  /** How clicks fall from slot to slot, best first, instead of by position. */
  readonly effects?: readonly number[]
}

/**
 * Why every ad that the request met won, lost or dropped, with inputs and arithmetic. Prices: per click for cpc, per thousand impressions
 * for cpm.
 */
export function explainAuction(input: ExplainInput): Explanation {
  const { winners, losers, drops, rules } = input
  const forSale = [...input.forSale].sort((a, b) => a - b)
  const vcg = vcgOf(input, input.effects ?? forSale.map(positionEffect))
  return {
    rules: explainRules(rules),
    forSale,
    candidates: [
      ...winners.map((winner) => ({
        ...entered(winner.ranked),
        outcome: 'won' as const,
        reason: wonBy(winner),
        price: formatPrice(winner.priceMicros),
        pricedBy: explainPrice(winner, rules, vcg.get(winner.ranked.bidder)!, ({ campaign }) => campaign.id),
      })),
      ...losers.map(({ ranked, reason }) => ({
        ...entered(ranked),
        outcome: DROP_REASONS[reason].outcome,
        reason,
        price: null,
        pricedBy: null,
      })),
      ...drops.details.map(({ listingId, campaignId, reason, bidMicros }) => ({
        ...NEVER_RANKED,
        listingId,
        campaignId,
        outcome: DROP_REASONS[reason].outcome,
        reason,
        bid: formatPrice(bidMicros),
      })),
    ],
    omitted: drops.omitted,
  }
}

const NEVER_RANKED = {
  adId: null,
  merchantId: null,
  pricing: null,
  pctr: null,
  pcvr: null,
  relevance: null,
  quality: null,
  weight: null,
  score: null,
  tieDraw: null,
  price: null,
  bidding: null,
  pricedBy: null,
}

/** Slots that the page ended before are not sold by either rule. */
function vcgOf(input: ExplainInput, effects: readonly number[]): Map<Candidate, Micros> {
  const { auctionId, winners, losers, rules } = input
  const pageEnded = losers.some(({ reason }) => reason === 'page_ended')
  return vcgPrices(auctionId, input, pageEnded ? effects.slice(0, winners.length) : effects, rules)
}

const entered = (ranked: Ranked<Candidate>) => ({
  ...explainRanked(ranked),
  campaignId: ranked.bidder.campaign.id,
  bidding: bidding(ranked.bidder),
})

function bidding(candidate: Candidate): ExplainedCandidate['bidding'] {
  const inputs = bidInputsOf(candidate)
  const { roasMicros, pacedMicros, finalMicros } = bidSteps(inputs)
  return {
    maxBid: formatPrice(inputs.bidMicros),
    targetRoas: inputs.targetRoas,
    orderValue: formatPrice(inputs.orderValueMicros),
    afterTargetRoas: formatPrice(roasMicros),
    multiplier: inputs.multiplier,
    afterPacing: formatPrice(pacedMicros),
    remaining: inputs.remainingMicros === undefined ? null : formatPrice(inputs.remainingMicros),
    final: formatPrice(finalMicros),
  }
}
