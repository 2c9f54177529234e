import type { MatchType } from '@endcap/contracts'
import type { QueryTerms } from './query-terms.js'
import { lengthOf, numberAt, type TermRun } from './term-run.js'

/**
 * A keyword in numbers. Keywords and queries are compared by their normalised, stemmed terms (`termsOf`):
 * exact: the same terms in the same order; phrase: the keyword's terms in a row within the query; broad: all of them, in any order.
 */
export interface Keyword {
  readonly match: MatchType
  /** Its terms in order, repeats kept. A keyword without any words has none, and meets no query. */
  readonly run: TermRun
}

/** Whether the query holds what the keyword asks for. */
export function meets({ match, run }: Keyword, query: QueryTerms): boolean {
  if (run === '') return false
  if (match === 'exact') return run === query.run
  if (match === 'phrase') return query.run.includes(run)
  for (let place = 0; place < lengthOf(run); place++) {
    if (!query.distinct.includes(numberAt(run, place))) return false
  }
  return true
}
