import type { MatchType } from '@endcap/contracts'
import { termsOf } from '@endcap/ranking'
import type { Names } from './names.js'
import type { QueryTerms } from './query-terms.js'

/**
 * A keyword of a campaign. Keywords and queries are compared by their normalised, stemmed terms (`termsOf`):
 * exact: the same terms in the same order; phrase: the keyword's terms in a row within the query; broad: all of them, in any order.
 */
export type Keyword = {
  /** As the merchant wrote it. */
  readonly text: string
  readonly match: MatchType
  /** Keeps the campaign out instead of letting it in. */
  readonly negative: boolean
  /** Numbers of its terms, in order, repeats kept. A keyword without any words has none, and meets no query. */
  readonly terms: readonly number[]
}

/** The keyword in numbers. */
export function keywordOf({ text, match, negative }: Omit<Keyword, 'terms'>, names: Names): Keyword {
  return { text, match, negative, terms: termsOf(text).map((term) => names.take(term)) }
}

/** Whether the query holds what the keyword asks for. */
export function meets(keyword: Pick<Keyword, 'match' | 'terms'>, query: QueryTerms): boolean {
  const { match, terms } = keyword
  if (terms.length === 0) return false
  if (match === 'exact') return terms.length === query.run.length && containsRun(query.run, terms)
  if (match === 'phrase') return containsRun(query.run, terms)
  for (const term of terms) if (!query.distinct.includes(term)) return false
  return true
}

/** True when `run` stands in `terms` in a row. */
export function containsRun<T>(terms: readonly T[], run: readonly T[]): boolean {
  for (let start = 0; start + run.length <= terms.length; start++) {
    let i = 0
    while (i < run.length && terms[start + i] === run[i]) i++
    if (i === run.length) return true
  }
  return false
}
