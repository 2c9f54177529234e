import { termHash, termHashesOf } from './text.js'
import type { RankedListing, RateCounts, StatsView } from './types.js'

/**
 * What ranking keeps of listings, as rows side by side outside the heap of JavaScript: a slate reads a hundred and fifty of them, and what
 * it costs is less the arithmetic than the waiting for memory that lies in many places.
 *
 * A row is FACT_ROW places of `numbers`. By place: GENERATION of the view of history that CTR, CVR and EVIDENCE are worked out from;
 * LOG_PRICE (NaN without a price); COUNTS, which are two words: how many categories and how many title terms; from FIRST_CATEGORY on, a
 * hash of each category's name; then, as words, a hash of each title term. A row that this does not fit into has a page of its own.
 */
export interface FactPage {
  readonly numbers: Float64Array
  /** The same memory. */
  readonly words: Int32Array
}

export const FACT_ROW = 16

const GENERATION = 0
/** Log-odds of the smoothed click rate. */
export const CTR = 1
/** Log-odds of the smoothed orders per click. */
export const CVR = 2
/** ln(1 + impressions). */
export const EVIDENCE = 3
export const LOG_PRICE = 4
const COUNTS = 5
export const FIRST_CATEGORY = 6

/** A page for so many rows; the row of each begins at a multiple of FACT_ROW. */
export const factPage = (rows: number): FactPage => pageOf(rows * FACT_ROW)

function pageOf(places: number): FactPage {
  const numbers = new Float64Array(places)
  return { numbers, words: new Int32Array(numbers.buffer) }
}

/** The generation of what was worked out from nothing yet, or from a view that goes on changing. */
const NEVER = -0.5

/** Brings the listing's facts up to this view of history. */
export function updateFacts(listing: RankedListing, stats: StatsView): FactPage {
  const facts = unchangingFacts(listing)
  const { numbers } = facts
  const at = listing.factsAt
  if (numbers[at + GENERATION] !== stats.generation) {
    const history = historyOf(listing.id, stats)
    numbers[at + GENERATION] = stats.generation ?? NEVER
    numbers[at + CTR] = history.ctr
    numbers[at + CVR] = history.cvr
    numbers[at + EVIDENCE] = history.evidence
  }
  return facts
}

/** What is true of the listing whatever happened to it; its row begins at `factsAt`. */
export const unchangingFacts = (listing: RankedListing): FactPage =>
  listing.facts ?? layDownFacts(listing, termHashesOf(listing.title))

export const categoriesIn = (facts: FactPage, at: number): number => facts.words[2 * (at + COUNTS)]!

/** Where the words of the title terms begin, and how many there are: as one walks them. */
export const firstTermIn = (facts: FactPage, at: number): number =>
  2 * (at + FIRST_CATEGORY + categoriesIn(facts, at))
export const termsIn = (facts: FactPage, at: number): number => facts.words[2 * (at + COUNTS) + 1]!

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
const PRIOR_WEIGHT = 10

/** (prior·w + successes) ÷ (w + trials), w = 10; kept off 0 and 1 although a stream may hold more clicks than impressions. */
export function smoothedRate(prior: number, successes: number, trials: number): number {
  const rate = (prior * PRIOR_WEIGHT + successes) / (PRIOR_WEIGHT + trials)
  return Math.min(Math.max(rate, 1e-6), 1 - 1e-6)
}

export const logOdds = (rate: number): number => Math.log(rate / (1 - rate))

/**
 * Fills the listing's row. `titleTerms`: hashes of the terms of its title (`termHashesOf`); `shared`, `sharedAt`: a page and where
 * in it is room for this listing alone, until `forgetFacts`.
 */
export function layDownFacts(
  listing: RankedListing,
  titleTerms: readonly number[],
  shared?: FactPage,
  sharedAt = 0,
): FactPage {
  const { price, categories } = listing
  const places = FIRST_CATEGORY + categories.length + Math.ceil(titleTerms.length / 2)
  const facts = shared && places <= FACT_ROW ? shared : pageOf(places)
  const at = facts === shared ? sharedAt : 0
  const { numbers, words } = facts
  const isPrice = price > 0 && price < Number.POSITIVE_INFINITY
  numbers[at + GENERATION] = NEVER
  numbers[at + LOG_PRICE] = isPrice ? Math.log(price) : Number.NaN
  words[2 * (at + COUNTS)] = categories.length
  words[2 * (at + COUNTS) + 1] = titleTerms.length
  for (let index = 0; index < categories.length; index++) {
    numbers[at + FIRST_CATEGORY + index] = categoryHash(categories[index]!)
  }
  words.set(titleTerms, firstTermIn(facts, at))
  listing.facts = facts
  listing.factsAt = at
  return facts
}

/** The room that the listing's row had is needed for another: asked for again, its facts get a page of their own. */
export function forgetFacts(listing: RankedListing): void {
  listing.facts = undefined
}

/** 53 bits, so that no two names of a catalog meet. */
const categoryHash = (name: string): number =>
  (termHash(name) >>> 0) * 2 ** 21 + (termHash(`${name}\n`) >>> 11)
