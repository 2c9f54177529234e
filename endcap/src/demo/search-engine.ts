import type { DemoListing, DemoMarketplace } from './catalog.js'
import { normal, type Random } from './random.js'

export interface OrganicResult {
  readonly listingId: string
  readonly score: number
}

/** The marketplace's own search engine: matches words and knows a little of what shoppers like. */
export function createSearchEngine(marketplace: DemoMarketplace) {
  const byTerm = new Map<string, DemoListing[]>()
  for (const listing of marketplace.listings) {
    for (const term of listing.terms) {
      const postings = byTerm.get(term)
      if (postings) postings.push(listing)
      else byTerm.set(term, [listing])
    }
  }
  return {
    /** The best `limit` results, best first. */
    search(random: Random, query: string, limit: number): OrganicResult[] {
      const scores = new Map<DemoListing, number>()
      for (const term of query.split(' ')) {
        for (const listing of byTerm.get(term) ?? []) scores.set(listing, (scores.get(listing) ?? 0) + 4)
      }
      return [...scores]
        .map(([listing, matched]) => ({
          listingId: listing.id,
          score: Math.max(0, Math.round((matched + 0.5 * listing.appeal + normal(random)) * 1000) / 1000),
        }))
        .sort((a, b) => b.score - a.score)
        .slice(0, limit)
    },
  }
}
