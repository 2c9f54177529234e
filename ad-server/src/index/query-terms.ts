import type { Names } from './names.js'
import { type TermRun, termRun, UNKNOWN_TERM } from './term-run.js'

/** A query as keywords are compared with it. */
export interface QueryTerms {
  /** Its terms in order, repeats kept. */
  readonly run: TermRun
  /** Each term that any keyword uses, once. */
  readonly distinct: readonly number[]
}

export function queryTerms(terms: readonly string[], names: Names): QueryTerms {
  const numbers: number[] = []
  const distinct: number[] = []
  for (const term of terms) {
    const number = names.numberOf(term) ?? UNKNOWN_TERM
    numbers.push(number)
    if (number !== UNKNOWN_TERM && !distinct.includes(number)) distinct.push(number)
  }
  return { run: termRun(numbers), distinct }
}
