import {
  bidSteps,
  explainPrice,
  positionEffect,
  qualityOf,
  type Ranked,
  type RulesInForce,
  scoreToFloat,
  vcgPrices,
  type Winner,
  weightToFloat,
} from '@endcap/auction'
import { type ExplainedCandidate, type Explanation, formatPrice, type Micros } from '@endcap/contracts'
import { bidInputsOf } from '../4-auction/sell-slots.js'
import type { Candidate } from '../candidate.js'
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
    rules: {
      reserve: formatPrice(rules.reserveMicros),
      reserveCpm: formatPrice(rules.reserveCpmMicros),
      reserveRule: rules.reserveRule || null,
      squashing: rules.squashing,
      maxPerMerchant: rules.maxPerMerchant,
    },
    forSale,
    candidates: [
      ...winners.map((winner) => ({
        ...ranking(winner.ranked),
        outcome: 'won' as const,
        reason: winner.priceSetter ? 'second_price' : 'reserve_price',
        price: formatPrice(winner.priceMicros),
        pricedBy: pricedBy(winner, rules, vcg.get(winner.ranked.bidder)!),
      })),
      ...losers.map(({ ranked, reason }) => ({
        ...ranking(ranked),
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
function vcgOf(
  { auctionId, winners, losers, rules }: ExplainInput,
  effects: readonly number[],
): Map<Candidate, Micros> {
  const bidders = [...winners, ...losers].map(({ ranked }) => ranked.bidder)
  const pageEnded = losers.some(({ reason }) => reason === 'page_ended')
  return vcgPrices(auctionId, bidders, pageEnded ? effects.slice(0, winners.length) : effects, rules)
}

const ranking = ({ bidder, weight, score, draw }: Ranked<Candidate>) => ({
  listingId: bidder.listingId,
  campaignId: bidder.campaign.id,
  adId: bidder.adId,
  merchantId: bidder.merchantId,
  pricing: bidder.pricing,
  bid: formatPrice(bidder.bidMicros),
  pctr: bidder.pctr,
  pcvr: bidder.pcvr,
  relevance: bidder.relevance,
  quality: qualityOf(bidder),
  weight: weightToFloat(weight),
  score: scoreToFloat(score),
  tieDraw: draw ?? null,
  bidding: bidding(bidder),
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

function pricedBy(
  winner: Winner<Candidate>,
  rules: RulesInForce,
  vcgMicros: Micros,
): ExplainedCandidate['pricedBy'] {
  const { ranked, next } = winner
  const { bidForNextScoreMicros, reserveMicros, decidedBy } = explainPrice(winner, rules)
  return {
    next: next
      ? {
          adId: next.bidder.adId,
          listingId: next.bidder.listingId,
          campaignId: next.bidder.campaign.id,
        }
      : null,
    nextScore: next ? scoreToFloat(next.score) : null,
    bidForNextScore: bidForNextScoreMicros === undefined ? null : formatPrice(bidForNextScoreMicros),
    reserve: formatPrice(reserveMicros),
    reserveRule: rules.reserveRule || null,
    cap: formatPrice(ranked.bidder.bidMicros),
    decidedBy,
    vcgPrice: formatPrice(vcgMicros),
  }
}
