import type { Random } from '../demo/random.js'

/** How many events happen in an interval, when `mean` are expected (Poisson; by multiplication in slices, exact). */
export function poisson(random: Random, mean: number): number {
  let events = 0
  for (let left = mean; left > 0; left -= SLICE) {
    const limit = Math.exp(-Math.min(left, SLICE))
    for (let product = random(); product > limit; product *= random()) events++
  }
  return events
}
/** Beyond it e^−mean would lose its digits. */
const SLICE = 30

/** Gamma with scale 1 and shape ≥ 1 [Marsaglia & Tsang 2000]. */
export function gamma(random: Random, shape: number, normal: (random: Random) => number): number {
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normal(random)
    const v = (1 + c * x) ** 3
    if (v <= 0) continue
    if (Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}

/** The value that a standard normal is below with probability `p`, in (0, 1) [Acklam's rational approximation, relative error 1.2e-9]. */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p)
  if (p >= 0.02425) {
    const q = p - 0.5
    const r = q * q
    return (polynomial(A, r) * q) / (polynomial(B, r) * r + 1)
  }
  const q = Math.sqrt(-2 * Math.log(p))
  return polynomial(C, q) / (polynomial(D, q) * q + 1)
}

const A = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
  2.506628277459239,
]
const B = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1,
]
const C = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
]
const D = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416]

/** Highest power first. */
const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)
