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
  /** '' without one, or without consent. */
  readonly customerHash: string
}

interface Asked {
  readonly query?: string | undefined
  readonly categories?: readonly string[] | undefined
  readonly device?: string | undefined
  readonly placement: string
}

interface KnownQuery {
  readonly searchTerm: string
  readonly queryTerms: readonly string[]
  readonly terms: readonly string[]
}

/**
 * Turns what was asked into what ranking and retrieval compare. Queries repeat, so the last `capacity` distinct ones are kept
 * normalised and cut into terms.
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
      found = { searchTerm, queryTerms, terms: termsOf(searchTerm) }
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

export type QueryReader = ReturnType<typeof createQueryReader>
