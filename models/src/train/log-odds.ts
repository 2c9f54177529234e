/** Probability of log-odds, without overflow. */
export function sigmoid(score: number): number {
  if (score >= 0) return 1 / (1 + Math.exp(-score))
  const odds = Math.exp(score)
  return odds / (1 + odds)
}

/** Log-odds of a probability. */
export const logit = (probability: number): number => Math.log(probability / (1 - probability))
