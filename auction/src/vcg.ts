import type { Micros } from '@endcap/contracts'
import {
  type AuctionRules,
  type Bidder,
  isCap,
  type Ranked,
  reserveOf,
  runAuction,
  type Winner,
} from './auction.js'

/** Who won and who lost, and why. */
export interface Outcome<B extends Bidder> {
  readonly winners: readonly { readonly ranked: Ranked<B> }[]
  readonly losers: readonly { readonly ranked: Ranked<B>; readonly reason: string }[]
}

/**
 * What each winner would pay under Vickrey, Clarke and Groves, to compare with what it pays: the value that other merchants lose by its
 * being there. With one ad a merchant and the slots filled this is p_i = (1 / β_i w_i) Σ_{j>i} b_j w_j (β_{j-1} − β_j), with w quality to
 * the power s and β the position effects [Edelman, Ostrovsky & Schwarz 2007; Varian 2007]. Computed from its definition, by filling the
 * slots once more without the winner, so that limits per merchant hold in both and a merchant's own ads never raise its price. Whom a
 * frequency cap kept out stays out, and caps keep nobody else out: how much they leave is not logged, and the log must come to the same
 * price. Of losers only the decisive ones count (`LoserRole`). At least the reserve, at most the bid. In floats, rounded to the nearest
 * micro: nobody pays it.
 *
 * @param outcome of all slots for sale, though the page may have ended before some
 * @param effects β by slot, best first, one for each slot that the page reached; must fall, or the price means nothing
 * @returns the price of each winner: per click for cpc, per thousand impressions for cpm
 */
export function vcgPrices<B extends Bidder>(
  auctionId: string,
  outcome: Outcome<B>,
  effects: readonly number[],
  rules: AuctionRules,
): Map<B, Micros> {
  const contenders = [...outcome.winners, ...outcome.losers.filter(({ reason }) => !isCap(reason))].map(
    ({ ranked: { bidder } }) => ({ ...bidder, limits: undefined, self: bidder }),
  )
  const { winners } = runAuction(auctionId, contenders, effects.length, rules)
  return new Map(
    winners.map(({ ranked }, slot) => {
      const { bidder } = ranked
      const others = contenders.filter((other) => other !== bidder)
      const without = runAuction(auctionId, others, effects.length, rules).winners
      const harm =
        valueToOthers(without, bidder.merchantId, effects) -
        valueToOthers(winners, bidder.merchantId, effects)
      return [bidder.self, priceFor(ranked, harm / effects[slot]!, rules)]
    }),
  )
}

/** Σ score × β over the winners of other merchants. */
function valueToOthers(
  winners: readonly Winner<Bidder>[],
  merchantId: string,
  effects: readonly number[],
): number {
  let value = 0
  winners.forEach(({ ranked }, slot) => {
    if (ranked.bidder.merchantId !== merchantId) value += Number(ranked.score) * effects[slot]!
  })
  return value
}

/** The bid at which a winner would have scored `score`, within reserve and bid. */
function priceFor(ranked: Ranked<Bidder>, score: number, rules: AuctionRules): Micros {
  const { bidder, score: own } = ranked
  const micros = Math.round((score / Number(own)) * Number(bidder.bidMicros))
  const price = BigInt(Math.max(0, micros))
  const reserve = reserveOf(bidder, rules)
  if (price < reserve) return reserve
  return price < bidder.bidMicros ? price : bidder.bidMicros
}
