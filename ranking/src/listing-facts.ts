import { termHash, termHashesOf } from './text.js'
import type { RankedListing, RateCounts, StatsView } from './types.js'

/**
 * What ranking keeps of a listing, in one array of numbers: a slate reads a hundred and fifty of them, and what it costs is less the
 * arithmetic than the waiting for memory that lies in many places.
 *
 * By index: GENERATION of the view of history that CTR, CVR and EVIDENCE are worked out from; LOG_PRICE (NaN without a price);
 * the number of CATEGORIES; then, from FIRST_CATEGORY on, a hash of each category's name and, after the last, a hash of each title term.
 */
export type ListingFacts = number[]

export const GENERATION = 0
/** Log-odds of the smoothed click rate. */
export const CTR = 1
/** Log-odds of the smoothed orders per click. */
export const CVR = 2
/** ln(1 + impressions). */
export const EVIDENCE = 3
export const LOG_PRICE = 4
export const CATEGORIES = 5
export const FIRST_CATEGORY = 6

/** The generation of what was worked out from nothing yet, or from a view that goes on changing. */
const NEVER = -0.5

/** The listing's facts under this view of history. */
export function factsOf(listing: RankedListing, stats: StatsView): ListingFacts {
  const facts = listing.facts ?? gather(listing)
  if (facts[GENERATION] !== stats.generation) {
    const history = historyOf(listing.id, stats)
    facts[GENERATION] = stats.generation ?? NEVER
    facts[CTR] = history.ctr
    facts[CVR] = history.cvr
    facts[EVIDENCE] = history.evidence
  }
  return facts
}

/** What is true of the listing whatever happened to it. */
export const unchangingFacts = (listing: RankedListing): ListingFacts => listing.facts ?? gather(listing)

/** The numbers that depend on nothing but what happened to a listing before. */
export function historyOf(listingId: string, stats: StatsView) {
  const { impressions, clicks, orders } = stats.listing(listingId) ?? NOTHING_SEEN
  return {
    ctr: logOdds(smoothedRate(stats.priorCtr, clicks, impressions)),
    cvr: logOdds(smoothedRate(stats.priorCvr, orders, clicks)),
    evidence: Math.log1p(impressions),
  }
}

export const NOTHING_SEEN: RateCounts = { impressions: 0, clicks: 0, orders: 0 }

/** Pseudo-impressions (or clicks) that the prior is worth. FORMULAS §6. */
export const PRIOR_WEIGHT = 10

/** (prior·w + successes) ÷ (w + trials), w = 10; kept off 0 and 1 although a stream may hold more clicks than impressions. */
export function smoothedRate(prior: number, successes: number, trials: number): number {
  const rate = (prior * PRIOR_WEIGHT + successes) / (PRIOR_WEIGHT + trials)
  return Math.min(Math.max(rate, 1e-6), 1 - 1e-6)
}

export const logOdds = (rate: number): number => Math.log(rate / (1 - rate))

const gather = (listing: RankedListing): ListingFacts => {
  const facts = listingFacts(listing.price, listing.categories, termHashesOf(listing.title))
  listing.facts = facts
  return facts
}

/** The facts of a listing that no slate has met; `titleTerms`: hashes of the terms of its title (`termHashesOf`). */
export function listingFacts(
  price: number,
  categories: readonly string[],
  titleTerms: readonly number[],
): ListingFacts {
  const isPrice = price > 0 && price < Number.POSITIVE_INFINITY
  // The fractions make it an array of plain doubles from the start.
  const facts = [NEVER, 0.5, 0.5, 0.5, isPrice ? Math.log(price) : Number.NaN, categories.length]
  for (const category of categories) facts.push(categoryHash(category))
  for (const term of titleTerms) facts.push(term)
  // Without the room for more that a growing array has: fewer lines of memory to wait for.
  return facts.slice()
}

/** 53 bits, so that no two names of a catalog meet. */
const categoryHash = (name: string): number =>
  (termHash(name) >>> 0) * 2 ** 21 + (termHash(`${name}\n`) >>> 11)
