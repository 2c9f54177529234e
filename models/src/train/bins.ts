import type { FeatureRows } from './rows.js'

/** Codes fit in a byte. */
export const MOST_BINS = 255

/** Feature values by the bin they fall into: bin b of a column holds what is above cut b − 1 and at most cut b. */
export interface BinnedRows {
  /** By column, rising: between two values that occur, never on the upper one. One fewer than the column has bins. */
  readonly cuts: readonly Float32Array[]
  /** Row-major, as many columns as the rows have. */
  readonly codes: Uint8Array
}

/** Each value has a bin of its own where a column has up to 255 of them; otherwise bins hold equal counts of rows, as nearly as ties allow. */
export function binRows({ rows, columns, features }: FeatureRows): BinnedRows {
  const codes = new Uint8Array(rows * columns)
  const values = new Float32Array(rows)
  const cuts: Float32Array[] = []
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) values[row] = features[row * columns + column]!
    const own = cutsOf(values.slice().sort())
    for (let row = 0; row < rows; row++) codes[row * columns + column] = binOf(own, values[row]!)
    cuts.push(own)
  }
  return { cuts, codes }
}

function binOf(cuts: Float32Array, value: number): number {
  let low = 0
  let high = cuts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (value <= cuts[middle]!) high = middle
    else low = middle + 1
  }
  return low
}

function cutsOf(sorted: Float32Array): Float32Array {
  const cuts: number[] = []
  const everyValue = distinct(sorted) <= MOST_BINS
  let inBin = 0
  let target = sorted.length / MOST_BINS
  for (let at = 1; at < sorted.length; at++) {
    inBin++
    if (sorted[at] === sorted[at - 1] || !(everyValue || inBin >= target)) continue
    cuts.push(between(sorted[at - 1]!, sorted[at]!))
    if (cuts.length === MOST_BINS - 1) break
    inBin = 0
    // A value that fills more than its bin leaves less for the others.
    target = (sorted.length - at) / (MOST_BINS - cuts.length)
  }
  return Float32Array.from(cuts)
}

function distinct(sorted: Float32Array): number {
  let count = sorted.length === 0 ? 0 : 1
  for (let at = 1; at < sorted.length; at++) if (sorted[at] !== sorted[at - 1]) count++
  return count
}

/** Their middle as a float32, or the lower one where rounding would reach the upper: a row must fall as it does in the ONNX file. */
function between(lower: number, upper: number): number {
  const middle = Math.fround(lower / 2 + upper / 2)
  return middle < upper ? middle : lower
}
