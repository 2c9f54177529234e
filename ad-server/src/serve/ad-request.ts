import type { SlateContext } from '@endcap/ranking'
import { slateContext, termsOf } from '@endcap/ranking'
import type { Point } from '../domain/geo.js'

/** One auction's question, whichever route asked it. */
export interface AdRequest {
  readonly auctionId: string
  readonly nowMs: number
  readonly context: SlateContext
  /** The query's terms in order, repeats kept: keywords are compared with these. */
  readonly terms: readonly string[]
  readonly location: Point | undefined
  /** Listings that the request names; item targeting is compared with these. */
  readonly items: Iterable<string>
  /** Only these listings may win; undefined: any. */
  readonly allowed: ReadonlySet<string> | undefined
  /** '' without one, or when they refused to be recognised. */
  readonly customerHash: string
  /** The customer agreed to be recognised: only then are frequency caps kept. */
  readonly consented: boolean
}

interface Asked {
  readonly query?: string | undefined
  readonly categories?: readonly string[] | undefined
  readonly device?: string | undefined
  readonly placement: string
}

interface KnownQuery {
  readonly searchTerm: string
  readonly queryTerms: readonly number[]
  readonly terms: readonly string[]
}

/** Normalising can make a text eighteen times as long, and the term travels in every address of the page. */
const MAX_SEARCH_TERM = 200

/** The beginning of a normalised text, at most MAX_SEARCH_TERM UTF-16 units, with no character torn apart. */
function cut(term: string): string {
  if (term.length <= MAX_SEARCH_TERM) return term
  const last = term.charCodeAt(MAX_SEARCH_TERM - 1)
  const tears = last >= 0xd800 && last < 0xdc00
  return term.slice(0, tears ? MAX_SEARCH_TERM - 1 : MAX_SEARCH_TERM).trimEnd()
}

/**
 * Turns what was asked into what ranking and retrieval compare. Queries repeat, so the last `capacity` distinct ones are kept
 * normalised and split into terms. Terms are those of the whole query; the search term that tokens and events carry is its beginning.
 */
export function createQueryReader(capacity = 10_000) {
  const known = new Map<string, KnownQuery>()
  return function readQuery(
    asked: Asked,
    nowMs: number,
  ): { context: SlateContext; terms: readonly string[] } {
    const query = asked.query ?? ''
    let found = known.get(query)
    if (!found) {
      const { searchTerm, queryTerms } = slateContext({ query, placement: asked.placement, atMs: nowMs })
      found = { searchTerm: cut(searchTerm), queryTerms, terms: termsOf(searchTerm) }
      if (known.size >= capacity) known.delete(known.keys().next().value!)
      known.set(query, found)
    }
    return {
      terms: found.terms,
      context: {
        searchTerm: found.searchTerm,
        queryTerms: found.queryTerms,
        categories: asked.categories ?? [],
        device: asked.device ?? 'other',
        hour: Math.floor(nowMs / 3_600_000) % 24,
        placement: asked.placement,
      },
    }
  }
}
