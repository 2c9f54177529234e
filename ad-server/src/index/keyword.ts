import type { MatchType } from '@endcap/contracts'
import type { QueryTerms } from './query-terms.js'

/**
 * A keyword in numbers. Keywords and queries are compared by their normalised, stemmed terms (`termsOf`):
 * exact: the same terms in the same order; phrase: the keyword's terms in a row within the query; broad: all of them, in any order.
 */
export interface Keyword {
  readonly match: MatchType
  /** In order, repeats kept. A keyword without any words has none, and meets no query. */
  readonly terms: readonly number[]
}

/** Whether the query holds what the keyword asks for. */
export function meets({ match, terms }: Keyword, query: QueryTerms): boolean {
  if (terms.length === 0) return false
  if (match === 'broad') return holdsAll(query.distinct, terms)
  return match === 'exact'
    ? query.terms.length === terms.length && standsAt(query.terms, terms, 0)
    : holdsRun(query.terms, terms)
}

function holdsAll(distinct: readonly number[], terms: readonly number[]): boolean {
  for (let i = 0; i < terms.length; i++) if (!distinct.includes(terms[i]!)) return false
  return true
}

function holdsRun(all: readonly number[], run: readonly number[]): boolean {
  for (let start = 0; start + run.length <= all.length; start++) if (standsAt(all, run, start)) return true
  return false
}

function standsAt(all: readonly number[], run: readonly number[], start: number): boolean {
  for (let i = 0; i < run.length; i++) if (all[start + i] !== run[i]) return false
  return true
}
