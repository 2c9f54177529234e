/** How far the model moves organic results: 0 leaves the search engine's order, 1 sorts by predicted click rate alone. */
const MODEL_WEIGHT = 0.5

/**
 * The order of the organic results, best first, as indices into the first `count` predictions (which stand in the search engine's
 * order). Each result's predicted click rate is weighed, geometrically and evenly, with the discount of its rank, 1 ÷ log2(1 + rank)
 * [Järvelin & Kekäläinen 2002]: the model reorders neighbours freely but needs a much better prediction to carry a result far.
 * Equal results keep the search engine's order.
 */
export function blendOrganic(count: number, pctr: ArrayLike<number>): Uint16Array {
  if (packed.length < count) packed = new Float64Array(count * 2)
  const keys = packed.subarray(0, count)
  for (let i = 0; i < count; i++) {
    const key = (1 - MODEL_WEIGHT) * logDiscount(i) - MODEL_WEIGHT * Math.log(Math.max(pctr[i]!, LEAST_PCTR))
    // Rank and row in one number, so that they are sorted without a call back for every comparison.
    keys[i] = Math.round(key * KEY_SCALE) * MOST_ROWS + i
  }
  keys.sort()
  const order = new Uint16Array(count)
  for (let i = 0; i < count; i++) order[i] = keys[i]! % MOST_ROWS
  return order
}

/** Keys lie in [0, 16): with ten bits for the row they are exact to 2^-36. */
const KEY_SCALE = 2 ** 36
const MOST_ROWS = 1024
const LEAST_PCTR = 1e-9
// The sort is synchronous, so that no two requests can use it at once.
let packed = new Float64Array(512)

const LOG_DISCOUNTS = Float64Array.from({ length: 500 }, (_, i) => Math.log(Math.log2(2 + i)))

const logDiscount = (i: number): number => LOG_DISCOUNTS[i] ?? Math.log(Math.log2(2 + i))
