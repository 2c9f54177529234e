import { createHash } from 'node:crypto'
import {
  CTR,
  CVR,
  categoriesIn,
  EVIDENCE,
  type FactPage,
  FIRST_CATEGORY,
  firstTermIn,
  historyOf,
  LOG_PRICE,
  logOdds,
  NOTHING_SEEN,
  smoothedRate,
  termsIn,
  unchangingFacts,
  updateFacts,
} from './listing-facts.js'
import { normaliseText, termHashesOf } from './text.js'
import type {
  Predictions,
  RankedListing,
  RateCounts,
  SlateCandidate,
  SlateContext,
  StatsView,
} from './types.js'

/** Every feature, in column order. None knows the bid: a prediction must not depend on what an advertiser offers. */
const FEATURES = [
  { name: 'log_position', meaning: 'ln of the shown position; the reference position (0) when serving' },
  { name: 'listing_ctr', meaning: 'log-odds of the smoothed click rate of the listing' },
  { name: 'query_listing_ctr', meaning: 'log-odds of the smoothed click rate of the listing for this query' },
  {
    name: 'category_ctr',
    meaning:
      "log-odds of the smoothed click rate of the listing's categories, their mean; of the request's for an unknown listing",
  },
  { name: 'listing_cvr', meaning: 'log-odds of the smoothed orders per click of the listing' },
  { name: 'listing_evidence', meaning: 'ln(1 + impressions) of the listing' },
  { name: 'query_listing_evidence', meaning: 'ln(1 + impressions) of the listing for this query' },
  { name: 'title_match', meaning: "share of the query's terms that are in the title" },
  {
    name: 'query_category_match',
    meaning: "largest share of the query's terms that are in one category's name",
  },
  { name: 'category_match', meaning: "1 when a category of the request is one of the listing's" },
  { name: 'price_to_median', meaning: 'ln(price ÷ median price of the slate), within ±5; 0 when unknown' },
  {
    name: 'organic_score',
    meaning: "standard score of the search engine's score within the slate, within ±4; 0 without one",
  },
  { name: 'organic_inverse_rank', meaning: '1 ÷ organic rank; 0 when not among the organic results' },
  { name: 'hour_sin', meaning: 'sine of the UTC hour on a 24-hour circle' },
  { name: 'hour_cos', meaning: 'cosine of the UTC hour on a 24-hour circle' },
  { name: 'device_desktop', meaning: '1 on a desktop' },
  { name: 'device_mobile', meaning: '1 on a phone' },
  { name: 'device_tablet', meaning: '1 on a tablet' },
  { name: 'has_query', meaning: '1 when the request has a query' },
  { name: 'listing_known', meaning: '1 when the listing is in the catalog' },
] as const

export type FeatureName = (typeof FEATURES)[number]['name']

export const FEATURE_NAMES: readonly FeatureName[] = FEATURES.map((feature) => feature.name)
export const FEATURE_COUNT = FEATURES.length

/**
 * Raise when a formula below changes under an unchanged name: rows of different definitions must never be mixed. 2: terms of Korean
 * are pairs of syllables and irregular English plurals are reduced, which changes what `title_match` and `query_category_match` count.
 * 3: stroked Latin letters are plain ones, what cannot be seen and the vowel points of Arabic and Hebrew are left out, a mark on a symbol
 * is no word, and of English words only plurals are reduced, no -ing or -ed.
 */
const DEFINITION = 3

/** Names one definition of the rows: serving, training and every model must carry the same. */
export const FEATURE_SET = `f${DEFINITION}-${createHash('sha256').update(FEATURE_NAMES.join()).digest('hex').slice(0, 8)}`

const column = (name: FeatureName): number => FEATURE_NAMES.indexOf(name)

/** Predictions are made as if every candidate stood here, so that they compare. */
export const REFERENCE_POSITION = 1
/** The only column that differs between serving (reference position) and training (shown position). */
export const POSITION_COLUMN = column('log_position')
/** Value of POSITION_COLUMN for a 1-based position: examination falls with a power of the position. */
export const positionFeature = (position: number): number => Math.fround(Math.log(Math.max(1, position)))

const LISTING_CTR = column('listing_ctr')
const QUERY_LISTING_CTR = column('query_listing_ctr')
const CATEGORY_CTR = column('category_ctr')
const LISTING_CVR = column('listing_cvr')
const LISTING_EVIDENCE = column('listing_evidence')
const QUERY_LISTING_EVIDENCE = column('query_listing_evidence')
const TITLE_MATCH = column('title_match')
const QUERY_CATEGORY_MATCH = column('query_category_match')
const CATEGORY_MATCH = column('category_match')
const PRICE_TO_MEDIAN = column('price_to_median')
const ORGANIC_SCORE = column('organic_score')
const ORGANIC_INVERSE_RANK = column('organic_inverse_rank')
const HOUR_SIN = column('hour_sin')
const HOUR_COS = column('hour_cos')
const DEVICE_DESKTOP = column('device_desktop')
const DEVICE_MOBILE = column('device_mobile')
const DEVICE_TABLET = column('device_tablet')
const HAS_QUERY = column('has_query')
const LISTING_KNOWN = column('listing_known')

const PRICE_LIMIT = 5
const SCORE_LIMIT = 4

/** The listing as ranking keeps it. `price` in currency units. */
export const rankedListing = (listing: {
  readonly id: string
  readonly title: string
  readonly categories: readonly string[]
  readonly price: number
}): RankedListing => ({
  id: listing.id,
  title: listing.title,
  categories: listing.categories,
  price: listing.price,
  facts: undefined,
  factsAt: 0,
})

/** What a request looks like to ranking: the one place where a query becomes a search term and its terms. */
export function slateContext(request: {
  readonly query?: string | undefined
  readonly categories?: readonly string[] | undefined
  readonly device?: string | undefined
  readonly placement: string
  readonly atMs: number
}): SlateContext {
  const searchTerm = normaliseText(request.query ?? '')
  return {
    searchTerm,
    queryTerms: termHashesOf(searchTerm),
    categories: request.categories ?? [],
    device: request.device ?? 'other',
    hour: new Date(request.atMs).getUTCHours(),
    placement: request.placement,
  }
}

/**
 * Writes one row of FEATURE_COUNT float32 a candidate into `out`, row-major, in the candidates' order, as served (reference position).
 * Every value is finite whatever the candidates hold. Same inputs, same bits.
 * @throws RangeError when `out` is shorter than candidates × FEATURE_COUNT
 */
export function computeFeatures(
  context: SlateContext,
  candidates: readonly SlateCandidate[],
  stats: StatsView,
  out: Float32Array,
): void {
  const rows = candidates.length
  if (out.length < rows * FEATURE_COUNT) throw new RangeError('the feature buffer is too short for the slate')
  const referencePosition = positionFeature(REFERENCE_POSITION)
  const angle = (context.hour / 24) * 2 * Math.PI
  const hourSin = Math.sin(angle)
  const hourCos = Math.cos(angle)
  const isDesktop = context.device === 'desktop' ? 1 : 0
  const isMobile = context.device === 'mobile' ? 1 : 0
  const isTablet = context.device === 'tablet' ? 1 : 0
  const { searchTerm, queryTerms } = context
  const hasQuery = queryTerms.length > 0 ? 1 : 0
  const unseenCtr = logOdds(smoothedRate(stats.priorCtr, 0, 0))
  // Brings the facts of every listing up to this view of history.
  const median = medianLogPrice(candidates, stats)
  const scores = scoreScale(candidates)
  const categories = new CategoriesOfSlate(context, stats)
  const requestCategoryCtr = meanCategoryCtr(context.categories, stats, unseenCtr)

  for (let row = 0; row < rows; row++) {
    const candidate = candidates[row]!
    const listing = candidate.listing
    const at = row * FEATURE_COUNT
    const seenForQuery = searchTerm === '' ? undefined : stats.queryListing(searchTerm, candidate.listingId)
    out[at + POSITION_COLUMN] = referencePosition
    if (seenForQuery) {
      const { ctr, evidence } = ratesOf(seenForQuery, stats)
      out[at + QUERY_LISTING_CTR] = ctr
      out[at + QUERY_LISTING_EVIDENCE] = evidence
    } else {
      out[at + QUERY_LISTING_CTR] = unseenCtr
      out[at + QUERY_LISTING_EVIDENCE] = 0
    }

    let titleMatch = 0
    let queryCategoryMatch = 0
    let categoryMatch = 0
    let categoryCtr = requestCategoryCtr
    let priceToMedian = 0
    if (listing) {
      const facts = listing.facts!
      const { numbers } = facts
      const from = listing.factsAt
      out[at + LISTING_CTR] = numbers[from + CTR]!
      out[at + LISTING_CVR] = numbers[from + CVR]!
      out[at + LISTING_EVIDENCE] = numbers[from + EVIDENCE]!
      titleMatch = titleMatchOf(queryTerms, facts, from)
      const named = categoriesIn(facts, from)
      let sum = 0
      for (let index = 0; index < named; index++) {
        const category = categories.of(numbers[from + FIRST_CATEGORY + index]!, listing, index)
        sum += category.ctr
        if (category.queryMatch > queryCategoryMatch) queryCategoryMatch = category.queryMatch
        if (category.requested) categoryMatch = 1
      }
      categoryCtr = named > 0 ? sum / named : unseenCtr
      const logPrice = numbers[from + LOG_PRICE]!
      if (!Number.isNaN(logPrice)) priceToMedian = clamp(logPrice - median, PRICE_LIMIT)
    } else {
      const history = historyOf(candidate.listingId, stats)
      out[at + LISTING_CTR] = history.ctr
      out[at + LISTING_CVR] = history.cvr
      out[at + LISTING_EVIDENCE] = history.evidence
    }
    out[at + CATEGORY_CTR] = categoryCtr
    out[at + TITLE_MATCH] = titleMatch
    out[at + QUERY_CATEGORY_MATCH] = queryCategoryMatch
    out[at + CATEGORY_MATCH] = categoryMatch
    out[at + PRICE_TO_MEDIAN] = priceToMedian
    const score = candidate.organicScore
    out[at + ORGANIC_SCORE] =
      score === undefined || !Number.isFinite(score) || scores.deviation === 0
        ? 0
        : clamp((score / scores.largest - scores.mean) / scores.deviation, SCORE_LIMIT)
    out[at + ORGANIC_INVERSE_RANK] = candidate.organicRank > 0 ? 1 / candidate.organicRank : 0
    out[at + HOUR_SIN] = hourSin
    out[at + HOUR_COS] = hourCos
    out[at + DEVICE_DESKTOP] = isDesktop
    out[at + DEVICE_MOBILE] = isMobile
    out[at + DEVICE_TABLET] = isTablet
    out[at + HAS_QUERY] = hasQuery
    out[at + LISTING_KNOWN] = listing ? 1 : 0
  }
}

function ratesOf(counts: RateCounts, stats: StatsView): { readonly ctr: number; readonly evidence: number } {
  if (counts.rates) return counts.rates
  const rates = {
    ctr: logOdds(smoothedRate(stats.priorCtr, counts.clicks, counts.impressions)),
    evidence: Math.log1p(counts.impressions),
  }
  if (stats.generation !== undefined) counts.rates = rates
  return rates
}

interface CategoryFeatures {
  readonly ctr: number
  readonly queryMatch: number
  readonly requested: boolean
}

/** Features of the categories of one slate: it has few distinct ones, so each is worked out once. */
class CategoriesOfSlate {
  private readonly known = new Map<number, CategoryFeatures>()
  private lastHash = Number.NaN
  private last: CategoryFeatures = { ctr: 0, queryMatch: 0, requested: false }

  constructor(
    private readonly context: SlateContext,
    private readonly stats: StatsView,
  ) {}

  /** @param hash of the name, as the listing's facts have it */
  of(hash: number, listing: RankedListing, index: number): CategoryFeatures {
    // The listings of a slate are mostly of one category.
    if (hash === this.lastHash) return this.last
    let found = this.known.get(hash)
    if (!found) {
      const name = listing.categories[index]!
      found = {
        ctr: categoryCtrOf(name, this.stats),
        queryMatch: shareIn(this.context.queryTerms, categoryTerms(name)),
        requested: this.context.categories.includes(name),
      }
      this.known.set(hash, found)
    }
    this.lastHash = hash
    this.last = found
    return found
  }
}

function categoryCtrOf(name: string, stats: StatsView): number {
  const { clicks, impressions } = stats.category(name) ?? NOTHING_SEEN
  return logOdds(smoothedRate(stats.priorCtr, clicks, impressions))
}

function meanCategoryCtr(names: readonly string[], stats: StatsView, unseen: number): number {
  if (names.length === 0) return unseen
  let sum = 0
  for (const name of names) sum += categoryCtrOf(name, stats)
  return sum / names.length
}

const CATEGORY_TERMS_KEPT = 20_000
const termsByCategory = new Map<string, readonly number[]>()

function categoryTerms(category: string): readonly number[] {
  let terms = termsByCategory.get(category)
  if (!terms) {
    // Requests may name any category: forgetting all now and then bounds the memory.
    if (termsByCategory.size >= CATEGORY_TERMS_KEPT) termsByCategory.clear()
    terms = termHashesOf(category)
    termsByCategory.set(category, terms)
  }
  return terms
}

/** The share of the query's terms that are in the title. */
function titleMatchOf(queryTerms: readonly number[], facts: FactPage, at: number): number {
  if (queryTerms.length === 0) return 0
  const { words } = facts
  const from = firstTermIn(facts, at)
  const to = from + termsIn(facts, at)
  let matched = 0
  for (let index = 0; index < queryTerms.length; index++) {
    if (holds(words, queryTerms[index]!, from, to)) matched++
  }
  return matched / queryTerms.length
}

/** The share of the query's terms that are among `terms`. */
function shareIn(queryTerms: readonly number[], terms: readonly number[]): number {
  if (queryTerms.length === 0) return 0
  let matched = 0
  for (let index = 0; index < queryTerms.length; index++) {
    if (terms.includes(queryTerms[index]!)) matched++
  }
  return matched / queryTerms.length
}

/** Titles are short: walking through a few numbers is quicker than any table. */
function holds(words: Int32Array, term: number, from: number, to: number): boolean {
  for (let index = from; index < to; index++) if (words[index] === term) return true
  return false
}

// Scratch space for one slate, growing to the largest seen. computeFeatures is synchronous, so no two slates can use it at once.
let logPrices = new Float64Array(256)

/** ln of the lower median, so that it is a price of the slate; 0 when no price is known (then no ratio is taken). */
function medianLogPrice(candidates: readonly SlateCandidate[], stats: StatsView): number {
  if (logPrices.length < candidates.length) logPrices = new Float64Array(candidates.length * 2)
  let count = 0
  for (let index = 0; index < candidates.length; index++) {
    const { listing } = candidates[index]!
    if (!listing) continue
    const logPrice = updateFacts(listing, stats).numbers[listing.factsAt + LOG_PRICE]!
    if (!Number.isNaN(logPrice)) logPrices[count++] = logPrice
  }
  if (count === 0) return 0
  return smallest((count - 1) >> 1, count)
}

/** The value of the given rank (from 0) among the first `count` prices, by quickselect: a sort would be the dearest step of a slate. */
function smallest(rank: number, count: number): number {
  let from = 0
  let to = count - 1
  while (from < to) {
    const pivot = logPrices[(from + to) >> 1]!
    let left = from
    let right = to
    while (left <= right) {
      while (logPrices[left]! < pivot) left++
      while (logPrices[right]! > pivot) right--
      if (left > right) break
      const swapped = logPrices[left]!
      logPrices[left++] = logPrices[right]!
      logPrices[right--] = swapped
    }
    if (rank <= right) to = right
    else if (rank >= left) from = left
    else break
  }
  return logPrices[rank]!
}

interface ScoreScale {
  readonly mean: number
  readonly deviation: number
  readonly largest: number
}

/** Mean and standard deviation of the organic scores after division by the largest, so that huge scores cannot overflow. */
function scoreScale(candidates: readonly SlateCandidate[]): ScoreScale {
  let largest = 0
  let count = 0
  for (let index = 0; index < candidates.length; index++) {
    const score = candidates[index]!.organicScore
    if (score === undefined || !Number.isFinite(score)) continue
    const size = Math.abs(score)
    if (size > largest) largest = size
    count++
  }
  if (largest === 0) return { mean: 0, deviation: 0, largest: 1 }
  let sum = 0
  let squares = 0
  for (let index = 0; index < candidates.length; index++) {
    const score = candidates[index]!.organicScore
    if (score === undefined || !Number.isFinite(score)) continue
    const scaled = score / largest
    sum += scaled
    squares += scaled * scaled
  }
  const mean = sum / count
  const variance = squares / count - mean * mean
  // Equal scores differ by rounding only; their order says nothing.
  return { mean, deviation: variance > 1e-12 ? Math.sqrt(variance) : 0, largest }
}

const clamp = (value: number, limit: number): number => Math.min(Math.max(value, -limit), limit)

function isInCategories(term: number, categories: readonly string[]): boolean {
  for (let index = 0; index < categories.length; index++) {
    if (categoryTerms(categories[index]!).includes(term)) return true
  }
  return false
}

const LEAST_RELEVANCE = 0.1

/**
 * How well a listing answers the query, in [0.1, 1]; 1 without a query. 0.1 + 0.9 × the share of the query's terms found in the title
 * or in the name of one of its categories. The auction multiplies pCTR by it (FORMULAS §1).
 */
export function relevance(context: SlateContext, listing: RankedListing): number {
  const { queryTerms } = context
  if (queryTerms.length === 0) return 1
  const { categories } = listing
  const facts = unchangingFacts(listing)
  const from = firstTermIn(facts, listing.factsAt)
  const to = from + termsIn(facts, listing.factsAt)
  let matched = 0
  for (let index = 0; index < queryTerms.length; index++) {
    const term = queryTerms[index]!
    if (holds(facts.words, term, from, to) || isInCategories(term, categories)) matched++
  }
  return LEAST_RELEVANCE + (1 - LEAST_RELEVANCE) * (matched / queryTerms.length)
}

/**
 * What is predicted without a model: smoothed historical rates. The query's rate falls back to the listing's, and that to the overall
 * one, each worth PRIOR_WEIGHT observations; clicks are lifted from any position to the reference position.
 */
export function smoothedPredictions(
  context: SlateContext,
  candidates: readonly Pick<SlateCandidate, 'listingId'>[],
  stats: StatsView,
): Predictions {
  const pctr = new Float32Array(candidates.length)
  const pcvr = new Float32Array(candidates.length)
  for (let row = 0; row < candidates.length; row++) {
    const { listingId } = candidates[row]!
    const seen = stats.listing(listingId) ?? NOTHING_SEEN
    const seenForQuery =
      (context.searchTerm === '' ? undefined : stats.queryListing(context.searchTerm, listingId)) ??
      NOTHING_SEEN
    const listingCtr = smoothedRate(stats.priorCtr, seen.clicks, seen.impressions)
    const ctr = smoothedRate(listingCtr, seenForQuery.clicks, seenForQuery.impressions)
    pctr[row] = Math.min(ctr * stats.referenceLift, 1 - 1e-6)
    pcvr[row] = smoothedRate(stats.priorCvr, seen.orders, seen.clicks)
  }
  return { pctr, pcvr }
}
