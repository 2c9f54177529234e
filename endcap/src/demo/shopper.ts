import type { DemoListing } from './catalog.js'
import type { Random } from './random.js'

/** How many slots of a page a shopper scrolls past, at the least. */
const SLOTS_SEEN_MIN = 6

/** What one shopper does with one page of results. */
export interface Visit {
  /** Positions (1-based) whose slots were on screen. */
  readonly seen: readonly number[]
  readonly clicked: readonly number[]
  /** Positions bought after the click. */
  readonly bought: readonly number[]
}

/**
 * The shoppers' hidden behaviour, which the models have to discover: attention falls with the position (position bias), a look becomes
 * a click by the match with the query, the listing's appeal and its price against the page; a click becomes an order by appeal and price.
 */
export function visitPage(
  random: Random,
  queryTerms: readonly string[],
  slots: readonly { readonly position: number; readonly listing: DemoListing }[],
): Visit {
  const prices = slots.map((slot) => slot.listing.price).sort((a, b) => a - b)
  const medianPrice = prices[Math.floor(prices.length / 2)] ?? 1
  const depth = SLOTS_SEEN_MIN + Math.floor(random() * (slots.length - SLOTS_SEEN_MIN + 1))
  const seen: number[] = []
  const clicked: number[] = []
  const bought: number[] = []
  for (const { position, listing } of slots) {
    if (position > depth) break
    seen.push(position)
    const attention = position ** -0.6
    const match = queryTerms.filter((term) => listing.terms.has(term)).length / Math.max(1, queryTerms.length)
    const dearness = Math.log(listing.price / medianPrice)
    if (random() >= attention * logistic(-3.4 + 1.6 * match + 0.9 * listing.appeal - 0.7 * dearness)) continue
    clicked.push(position)
    if (random() < logistic(-1.6 + 0.5 * listing.appeal - 0.4 * dearness)) bought.push(position)
  }
  return { seen, clicked, bought }
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x))
