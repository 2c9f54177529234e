/**
 * Numbers in a row as a text: two UTF-16 units a number, the first of them always above the second. A million keywords weigh
 * half of what arrays would, and whether a run stands within another is one search.
 */
export type TermRun = string

const LOW_BITS = 15
const LOW_MASK = (1 << LOW_BITS) - 1
const HIGH_MARK = 1 << LOW_BITS
/** Stands for a term that no keyword uses. */
export const UNKNOWN_TERM = 2 ** 30 - 1

/** `numbers`: 0 … 2^30 − 1. */
export function termRun(numbers: readonly number[]): TermRun {
  let run = ''
  for (const number of numbers) {
    run += String.fromCharCode(HIGH_MARK | (number >> LOW_BITS), number & LOW_MASK)
  }
  return run
}

/** How many numbers a run holds. */
export const lengthOf = (run: TermRun): number => run.length / 2

/** The number at a place of the run, from 0. */
export const numberAt = (run: TermRun, place: number): number =>
  ((run.charCodeAt(place * 2) & LOW_MASK) << LOW_BITS) | run.charCodeAt(place * 2 + 1)
