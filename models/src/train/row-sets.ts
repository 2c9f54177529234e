import type { BinnedRows } from './bins.js'

/** Sums of first and second derivatives of the loss, by bin of each column: its slope, its curvature, the next bin's slope, … */
export type Histogram = Float64Array

/** The rows of one tree, put in order so that those of a leaf stand beside each other. */
export interface RowSets {
  readonly count: number
  /** Where each column begins in a histogram, and where the last one ends. */
  readonly offsets: readonly number[]
  /** Of the rows at [from, to). */
  histogram(from: number, to: number): Histogram
  /** Moves the rows up to `bin` of a column to the front of [from, to), each side in its order; gives where the others begin. */
  partition(from: number, to: number, split: { readonly column: number; readonly bin: number }): number
  addTo(scores: Float64Array, from: number, to: number, value: number): void
}

/** `slopes` by row: first and second derivative. */
export function createRowSets({ cuts, codes }: BinnedRows, slopes: Float64Array): RowSets {
  const columns = cuts.length
  const count = slopes.length / 2
  const order = Uint32Array.from({ length: count }, (_, row) => row)
  const aside = new Uint32Array(count)
  const offsets = [0]
  for (const { length } of cuts) offsets.push(offsets.at(-1)! + 2 * (length + 1))
  const starts = Int32Array.from(offsets)
  return {
    count,
    offsets,
    histogram(from, to) {
      const sums = new Float64Array(starts[columns]!)
      for (let index = from; index < to; index++) {
        const row = order[index]!
        const slope = slopes[2 * row]!
        const curvature = slopes[2 * row + 1]!
        for (let column = 0, code = row * columns; column < columns; column++, code++) {
          const at = starts[column]! + 2 * codes[code]!
          sums[at]! += slope
          sums[at + 1]! += curvature
        }
      }
      return sums
    },
    partition(from, to, { column, bin }) {
      let left = from
      let right = 0
      for (let index = from; index < to; index++) {
        const row = order[index]!
        if (codes[row * columns + column]! <= bin) order[left++] = row
        else aside[right++] = row
      }
      order.set(aside.subarray(0, right), left)
      return left
    },
    addTo(scores, from, to, value) {
      for (let index = from; index < to; index++) scores[order[index]!]! += value
    },
  }
}
