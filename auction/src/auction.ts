import type { Micros, Pricing } from '@endcap/contracts'
import { tieDraw } from './tie-draw.js'

export interface AuctionRules {
  /** Least price per click. Flat: the same for every quality [Thompson & Leyton-Brown 2013]. */
  readonly reserveMicros: Micros
  /** Least price per thousand impressions of a cpm bid. */
  readonly reserveCpmMicros: Micros
  /** Exponent s of quality in the score: 1 ranks by expected revenue, 0 by bid alone. */
  readonly squashing: number
  /** At most this many slots for one merchant. */
  readonly maxPerMerchant: number
}

/** How many slots of one auction those that share it may take together; told apart by identity. */
export interface SlotLimit {
  readonly most: number
  readonly reason: 'frequency_cap' | 'merchant_frequency_cap'
}

/** One ad in an auction, with its bid as it stands after pacing and limits. */
export interface Bidder {
  /** Unique in the auction; ties are drawn on it. */
  readonly adId: string
  readonly merchantId: string
  readonly listingId: string
  readonly pricing: Pricing
  /** Per click for cpc, per thousand impressions for cpm. */
  readonly bidMicros: Micros
  /** Probability of a click at the reference position, 0…1. */
  readonly pctr: number
  /** 0…1. */
  readonly relevance: number
  /** Besides the one that the rules set for its merchant. */
  readonly limits?: readonly SlotLimit[] | undefined
}

export interface Ranked<B extends Bidder> {
  readonly bidder: B
  /** Quality to the power s, in units of 1e-15. */
  readonly weight: bigint
  /** Money per impression in units of 1e-18 micros; exact, so that equal scores are equal. */
  readonly score: bigint
  /** The draw that placed it among equal scores; undefined when it had no equal. */
  draw: number | undefined
}

export interface Winner<B extends Bidder> {
  readonly ranked: Ranked<B>
  /** 1 = the best slot. */
  readonly rank: number
  /** Per click for cpc, per thousand impressions for cpm. */
  readonly priceMicros: Micros
  /** The best-scoring bidder of another merchant that could itself have taken the slot; undefined when there was none. */
  readonly next: Ranked<B> | undefined
  /** Whose score set the price: `next`, unless the reserve was higher. */
  readonly priceSetter: B | undefined
}

export type LossReason =
  | 'below_reserve'
  | 'merchant_limit'
  | 'already_shown'
  | 'outranked'
  | SlotLimit['reason']

/** Whether a customer's frequency cap kept a loser out. */
export const isCap = (reason: string): reason is SlotLimit['reason'] =>
  reason === 'frequency_cap' || reason === 'merchant_frequency_cap'

/**
 * What a loser had to do with the result. `decisive`: some winner's `next`, or the one that would have a slot were some winner not there;
 * without it a price or a VCG price could be another. `passed_over`: kept out, though its score was better than that of the last winner
 * or of its `next`. `none`: neither.
 */
export type LoserRole = 'decisive' | 'passed_over' | 'none'

interface Loser<B extends Bidder> {
  readonly ranked: Ranked<B>
  readonly reason: LossReason
  readonly role: LoserRole
}

export interface AuctionResult<B extends Bidder> {
  /** Best slot first. */
  readonly winners: readonly Winner<B>[]
  /** Best score first; those below the reserve, which were not ranked, at the end. */
  readonly losers: readonly Loser<B>[]
}

const WEIGHT_SCALE = 1e15
const SCORE_UNITS_PER_CURRENCY_UNIT = 1e24
const PER_THOUSAND = 1000n

/** The quality that a bid is multiplied by: the chance of a click times relevance for cpc, relevance alone for cpm. */
export function qualityOf(bidder: Pick<Bidder, 'pricing' | 'pctr' | 'relevance'>): number {
  return bidder.pricing === 'cpc' ? bidder.pctr * bidder.relevance : bidder.relevance
}

/**
 * Quality to the power s as an integer of 1e-15: from here on the auction computes in integers only, so ranks and prices
 * do not depend on the order of float operations. At least 1, so that a price can be divided by it.
 */
function weightUnits(bidder: Pick<Bidder, 'pricing' | 'pctr' | 'relevance'>, squashing: number): number {
  const quality = qualityOf(bidder)
  const weight = squashing === 1 ? quality : quality ** squashing
  return Math.max(1, Math.round(weight * WEIGHT_SCALE))
}

/** A weight as the number that it stands for, for explanations; never computed with. */
export const weightToFloat = (weight: bigint): number => Number(weight) / WEIGHT_SCALE

/** A score in currency units per impression, for logs and explanations; never computed with. */
export const scoreToFloat = (score: bigint): number => Number(score) / SCORE_UNITS_PER_CURRENCY_UNIT

/** What one unit of bid is worth per impression: a cpm bid is for a thousand of them. */
const scaledWeight = (ranked: Ranked<Bidder>): bigint =>
  ranked.bidder.pricing === 'cpc' ? ranked.weight * PER_THOUSAND : ranked.weight

/** The bid at which a bidder would have scored `score`, rounded up to a whole micro. */
export function bidForScore(ranked: Ranked<Bidder>, score: bigint): Micros {
  const unit = scaledWeight(ranked)
  return (score + unit - 1n) / unit
}

/** The least price of a bidder's slot: per click for cpc, per thousand impressions for cpm. */
export const reserveOf = (bidder: Pick<Bidder, 'pricing'>, rules: AuctionRules): Micros =>
  bidder.pricing === 'cpc' ? rules.reserveMicros : rules.reserveCpmMicros

/**
 * Price of one winner under the generalised second price [Edelman, Ostrovsky & Schwarz 2007]: the least bid that would
 * still have kept the slot, never below the reserve, never above the winner's own bid. Rounded up once to a whole micro,
 * so that the platform is never paid less than the score it displaced. Per click for cpc, per thousand for cpm.
 */
function priceOf(winner: Ranked<Bidder>, next: Ranked<Bidder> | undefined, rules: AuctionRules): Micros {
  const reserve = reserveOf(winner.bidder, rules)
  if (!next) return reserve
  const displaced = bidForScore(winner, next.score)
  const price = displaced > reserve ? displaced : reserve
  return price < winner.bidder.bidMicros ? price : winner.bidder.bidMicros
}

/**
 * Sells up to `slots` slots to the bidders by quality-weighted generalised second price.
 *
 * Score = bid × quality^s per impression; cpc and cpm bids compete by it. Slots go from the best score down. Passed over:
 * a bidder whose merchant, or another limit that it shares, has its slots already, and one whose listing is shown already. A winner's
 * price is set by the best-scoring bidder of another merchant that could itself have taken that slot. Equal scores: the lower `tieDraw`.
 * Pure, and independent of the order of `bidders`.
 */
export function runAuction<B extends Bidder>(
  auctionId: string,
  bidders: readonly B[],
  slots: number,
  rules: AuctionRules,
): AuctionResult<B> {
  const belowReserve: Ranked<B>[] = []
  const ranking: Scored<B>[] = []
  for (const bidder of bidders) {
    const ranked = new Scored(bidder, rules.squashing)
    if (bidder.bidMicros <= 0n || bidder.bidMicros < reserveOf(bidder, rules)) {
      belowReserve.push(ranked)
    } else ranking.push(ranked)
  }
  ranking.sort((a, b) => byScore(a, b) || compareTied(auctionId, a, b))

  const winners: Winner<B>[] = []
  const slotsByMerchant = new Map<string, number>()
  const winnerByListing = new Map<string, B>()
  const slotsByLimit = new Map<SlotLimit, number>()
  const isAtLimit = (bidder: B): boolean =>
    (slotsByMerchant.get(bidder.merchantId) ?? 0) >= rules.maxPerMerchant
  const usedUp = ({ limits }: B): LossReason | undefined =>
    limits?.find((limit) => (slotsByLimit.get(limit) ?? 0) >= limit.most)?.reason
  const keptOut = (bidder: B): LossReason | undefined =>
    usedUp(bidder) ??
    (isAtLimit(bidder)
      ? 'merchant_limit'
      : winnerByListing.has(bidder.listingId)
        ? 'already_shown'
        : undefined)
  // By place in the ranking; a winner has no reason to lose.
  const reasons: (LossReason | undefined)[] = []
  const decisive = new Set<Ranked<B> | undefined>()
  // Winners for whom no loser has been met yet that would have a slot were they not there.
  const irreplaceable: B[] = []
  /**
   * Takes a loser as the one that would have a slot for every winner that it is the first such loser for. It is the only one: being of
   * the winner's merchant (a listing has one) or behind all winners, it keeps nobody out and lets nobody in. So a VCG price, which asks
   * how slots would go without the winner and with no frequency caps, depends on no other loser.
   */
  function replaceBy(loser: Ranked<B>): void {
    const { merchantId, listingId } = loser.bidder
    const atLimit = isAtLimit(loser.bidder)
    const shownBy = winnerByListing.get(listingId)
    for (let i = irreplaceable.length - 1; i >= 0; i--) {
      const winner = irreplaceable[i]!
      if (atLimit && winner.merchantId !== merchantId) continue
      if (shownBy && shownBy !== winner) continue
      irreplaceable.splice(i, 1)
      decisive.add(loser)
    }
  }
  let lastDecisive = -1
  for (let i = 0; i < ranking.length; i++) {
    const ranked = ranking[i]!
    const { bidder } = ranked
    // Told of whomever it keeps out, also when all slots are sold: the log knows these limits by their losers only.
    const reason = winners.length >= slots ? (usedUp(bidder) ?? 'outranked') : keptOut(bidder)
    reasons[i] = reason
    if (reason) {
      if (irreplaceable.length > 0 && !isCap(reason)) replaceBy(ranked)
      continue
    }
    let next: Ranked<B> | undefined
    for (let j = i + 1; j < ranking.length; j++) {
      const rival = ranking[j]!
      if (rival.bidder.merchantId === bidder.merchantId || keptOut(rival.bidder)) continue
      next = rival
      lastDecisive = Math.max(lastDecisive, j)
      break
    }
    lastDecisive = Math.max(lastDecisive, i)
    decisive.add(next)
    const priceMicros = priceOf(ranked, next, rules)
    winners.push({
      ranked,
      rank: winners.length + 1,
      priceMicros,
      next,
      priceSetter: priceMicros === reserveOf(bidder, rules) ? undefined : next?.bidder,
    })
    slotsByMerchant.set(bidder.merchantId, (slotsByMerchant.get(bidder.merchantId) ?? 0) + 1)
    winnerByListing.set(bidder.listingId, bidder)
    for (const limit of bidder.limits ?? []) slotsByLimit.set(limit, (slotsByLimit.get(limit) ?? 0) + 1)
    irreplaceable.push(bidder)
  }
  const losers: Loser<B>[] = []
  for (let i = 0; i < ranking.length; i++) {
    const reason = reasons[i]
    if (!reason) continue
    const ranked = ranking[i]!
    losers.push({
      ranked,
      reason,
      role: decisive.has(ranked) ? 'decisive' : i < lastDecisive ? 'passed_over' : 'none',
    })
  }
  for (const ranked of belowReserve) losers.push({ ranked, reason: 'below_reserve', role: 'none' })
  return { winners, losers }
}

/** A bidder with its score, worked out exactly once somebody needs it: most are told apart by a float of it, and lose. */
class Scored<B extends Bidder> implements Ranked<B> {
  draw: number | undefined = undefined
  /** The score within a relative error of 2^-50. */
  readonly estimate: number
  private readonly units: number
  private exact: bigint | undefined = undefined

  constructor(
    readonly bidder: B,
    squashing: number,
  ) {
    this.units = weightUnits(bidder, squashing)
    const weight = bidder.pricing === 'cpc' ? this.units * Number(PER_THOUSAND) : this.units
    this.estimate = Number(bidder.bidMicros) * weight
  }

  get weight(): bigint {
    return BigInt(this.units)
  }

  get score(): bigint {
    this.exact ??= this.bidder.bidMicros * scaledWeight(this)
    return this.exact
  }
}

/** Far above the error of an estimate, far below what two scores usually differ by. */
const SURELY_MORE = 1 + 1e-12

/** Best score first; 0 for equal ones. */
function byScore(a: Scored<Bidder>, b: Scored<Bidder>): number {
  if (a.estimate > b.estimate * SURELY_MORE) return -1
  if (b.estimate > a.estimate * SURELY_MORE) return 1
  return a.score > b.score ? -1 : a.score < b.score ? 1 : 0
}

function compareTied(auctionId: string, a: Ranked<Bidder>, b: Ranked<Bidder>): number {
  a.draw ??= tieDraw(auctionId, a.bidder.adId)
  b.draw ??= tieDraw(auctionId, b.bidder.adId)
  if (a.draw !== b.draw) return a.draw - b.draw
  return a.bidder.adId < b.bidder.adId ? -1 : 1
}
