import type { Names } from './names.js'

const UNKNOWN = -1

/** A query as keywords are compared with it: its terms as numbers, those that no keyword uses left as UNKNOWN. */
export interface QueryTerms {
  /** In order, repeats kept. */
  readonly run: readonly number[]
  /** Each known term once. */
  readonly distinct: readonly number[]
  /** False: some term is in no keyword, so no exact keyword can be met. */
  readonly isWhole: boolean
}

export function queryTerms(terms: readonly string[], names: Names): QueryTerms {
  const run: number[] = []
  const distinct: number[] = []
  let isWhole = true
  for (const term of terms) {
    const number = names.numberOf(term) ?? UNKNOWN
    run.push(number)
    if (number === UNKNOWN) isWhole = false
    else if (!distinct.includes(number)) distinct.push(number)
  }
  return { run, distinct, isWhole }
}
