/** How far the model moves organic results: 0 leaves the search engine's order, 1 sorts by predicted click rate alone. */
const MODEL_WEIGHT = 0.5

/**
 * The order of the organic results, best first, as indices into the first `count` predictions (which stand in the search engine's
 * order). Each result's predicted click rate is weighed, geometrically and evenly, with the discount of its rank, 1 ÷ log2(1 + rank)
 * [Järvelin & Kekäläinen 2002]: the model reorders neighbours freely but needs a much better prediction to carry a result far.
 * Equal results keep the search engine's order.
 */
export function blendOrganic(count: number, pctr: ArrayLike<number>): Uint16Array {
  const order = new Uint16Array(count)
  const keys = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    order[i] = i
    keys[i] = MODEL_WEIGHT * Math.log(pctr[i]!) - (1 - MODEL_WEIGHT) * logDiscount(i)
  }
  return order.sort((a, b) => keys[b]! - keys[a]! || a - b)
}

const LOG_DISCOUNTS = Float64Array.from({ length: 500 }, (_, i) => Math.log(Math.log2(2 + i)))

const logDiscount = (i: number): number => LOG_DISCOUNTS[i] ?? Math.log(Math.log2(2 + i))
