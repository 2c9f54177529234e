/** Uniform numbers in [0, 1). */
export type Random = () => number

/** A small seeded generator (mulberry32): the same seed gives the same marketplace and the same shoppers. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Standard normal by Box and Muller. */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

export const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!

/** Index drawn with probability ∝ 1 / (index + 1)^exponent, as search terms are. */
export function zipfIndex(random: Random, count: number, exponent: number): number {
  const cumulative = zipfCumulative(count, exponent)
  const target = random() * cumulative[count - 1]!
  let low = 0
  let high = count - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (cumulative[middle]! < target) low = middle + 1
    else high = middle
  }
  return low
}

const cumulatives = new Map<string, Float64Array>()
function zipfCumulative(count: number, exponent: number): Float64Array {
  const key = `${count}:${exponent}`
  let cumulative = cumulatives.get(key)
  if (!cumulative) {
    cumulative = new Float64Array(count)
    let sum = 0
    for (let index = 0; index < count; index++) {
      sum += 1 / (index + 1) ** exponent
      cumulative[index] = sum
    }
    cumulatives.set(key, cumulative)
  }
  return cumulative
}
