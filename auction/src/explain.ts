import { type ExplainedCandidate, type Explanation, formatPrice, type Micros } from '@endcap/contracts'
import {
  type Bidder,
  bidForScore,
  qualityOf,
  type Ranked,
  reserveOf,
  scoreToFloat,
  type Winner,
  weightToFloat,
} from './auction.js'
import type { RulesInForce } from './rulebook.js'

/** The rules of an auction, as people read them. */
export const explainRules = (rules: RulesInForce): Explanation['rules'] => ({
  reserve: formatPrice(rules.reserveMicros),
  reserveCpm: formatPrice(rules.reserveCpmMicros),
  reserveRule: rules.reserveRule || null,
  squashing: rules.squashing,
  maxPerMerchant: rules.maxPerMerchant,
})

/** What a bidder came with and what the auction made of it. */
export const explainRanked = ({
  bidder,
  weight,
  score,
  draw,
}: Ranked<Bidder & { readonly pcvr: number }>) => ({
  listingId: bidder.listingId,
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
})

/** Whether a winner's price came from the next score or from the reserve. */
export const wonBy = ({ priceSetter }: Winner<Bidder>): 'second_price' | 'reserve_price' =>
  priceSetter ? 'second_price' : 'reserve_price'

/** The arithmetic of a winner's price, with its VCG price beside it. */
export function explainPrice<B extends Bidder>(
  winner: Winner<B>,
  rules: RulesInForce,
  vcgMicros: Micros,
  campaignOf: (bidder: B) => string,
): ExplainedCandidate['pricedBy'] {
  const { ranked, next } = winner
  return {
    next: next
      ? {
          adId: next.bidder.adId,
          listingId: next.bidder.listingId,
          campaignId: campaignOf(next.bidder),
        }
      : null,
    nextScore: next ? scoreToFloat(next.score) : null,
    bidForNextScore: next ? formatPrice(bidForScore(ranked, next.score)) : null,
    reserve: formatPrice(reserveOf(ranked.bidder, rules)),
    reserveRule: rules.reserveRule || null,
    cap: formatPrice(ranked.bidder.bidMicros),
    decidedBy: winner.priceSetter ? 'next_score' : 'reserve',
    vcgPrice: formatPrice(vcgMicros),
  }
}
