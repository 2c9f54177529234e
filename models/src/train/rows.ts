import { logit } from './log-odds.js'

/** Row-major float32 features. */
export interface FeatureRows {
  readonly rows: number
  readonly columns: number
  readonly features: Float32Array
}

/** Training rows: one label each, 0 or 1, and optional weights. */
export interface LabelledRows extends FeatureRows {
  readonly labels: Uint8Array
  /** One a row, ≥ 0; all 1 when absent. */
  readonly weights?: Float32Array
}

/** Rows [from, to), without copying. */
export const sliceRows = (data: LabelledRows, from: number, to: number): LabelledRows => ({
  rows: to - from,
  columns: data.columns,
  features: data.features.subarray(from * data.columns, to * data.columns),
  labels: data.labels.subarray(from, to),
  ...(data.weights && { weights: data.weights.subarray(from, to) }),
})

export interface LabelMass {
  readonly total: number
  readonly positives: number
}

/** Summed weights, of all rows and of those with label 1. */
export function labelMass({ rows, labels, weights }: LabelledRows): LabelMass {
  let total = 0
  let positives = 0
  for (let row = 0; row < rows; row++) {
    const weight = weights ? weights[row]! : 1
    total += weight
    if (labels[row] === 1) positives += weight
  }
  return { total, positives }
}

export const isOneClass = ({ total, positives }: LabelMass): boolean => positives === 0 || positives === total

/** Log-odds of the labels' rate; where they are of one class, of the smoothed rate (positives + ½) ÷ (rows + 1), which has some. */
export function baseScore(mass: LabelMass): number {
  const { total, positives } = mass
  return logit(isOneClass(mass) ? (positives + 0.5) / (total + 1) : positives / total)
}
