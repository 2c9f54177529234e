import type { Micros } from '@endcap/contracts'
import { type AuctionRules, type Bidder, bidForScore, reserveOf, type Winner } from './auction.js'

/** The arithmetic of one price. */
export interface PriceArithmetic {
  /** The bid at which the winner would have scored what its `next` did, rounded up to a whole micro; undefined without one. */
  readonly bidForNextScoreMicros: Micros | undefined
  readonly reserveMicros: Micros
  readonly decidedBy: 'next_score' | 'reserve'
}

/** How the price of a winner came to be: the greater of the two, at most its bid. */
export const explainPrice = (
  { ranked, next, priceSetter }: Winner<Bidder>,
  rules: AuctionRules,
): PriceArithmetic => ({
  bidForNextScoreMicros: next && bidForScore(ranked, next.score),
  reserveMicros: reserveOf(ranked.bidder, rules),
  decidedBy: priceSetter ? 'next_score' : 'reserve',
})
