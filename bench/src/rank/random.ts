/** Numbers in [0, 1) from a seed [Park & Miller 1988]: the same market and requests in every run and every process. */
export function seededRandom(seed: number): () => number {
  let state = (seed % 2147483646) + 1
  return () => {
    state = (state * 16807) % 2147483647
    return state / 2147483647
  }
}

/** A new array in a random order. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items]
  for (let i = order.length - 1; i > 0; i--) {
    const at = Math.floor(random() * (i + 1))
    const moved = order[i]!
    order[i] = order[at]!
    order[at] = moved
  }
  return order
}
