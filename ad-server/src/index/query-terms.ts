import type { Names } from './packed/names.js'

/** Stands for a term that no keyword uses. */
const UNKNOWN_TERM = -1

/** A query as keywords are compared with it. */
export interface QueryTerms {
  /** In order, repeats kept; UNKNOWN_TERM for what no keyword uses. */
  readonly terms: readonly number[]
  /** Each term that any keyword uses, once. */
  readonly distinct: readonly number[]
}

export function queryTerms(texts: readonly string[], names: Names): QueryTerms {
  const terms: number[] = []
  const distinct: number[] = []
  for (const text of texts) {
    const term = names.numberOf(text) ?? UNKNOWN_TERM
    terms.push(term)
    if (term !== UNKNOWN_TERM && !distinct.includes(term)) distinct.push(term)
  }
  return { terms, distinct }
}
