/** How well probabilities foretold what happened. Every measure is null where it has no meaning (no rows, one class only). */
export interface Metrics {
  readonly rows: number
  readonly positives: number
  /** Area under the ROC curve: the chance that a positive is ranked above a negative, ties counting half. */
  readonly auc: number | null
  /** Mean −ln(probability given to what happened). */
  readonly logLoss: number | null
  /** Log loss of `baseRate` given to every row. */
  readonly baseRateLogLoss: number | null
  /** logLoss ÷ log loss of the rows' own rate; below 1 is better than knowing only the rate [He et al. 2014]. */
  readonly normalisedEntropy: number | null
  /** Σ predicted ÷ Σ happened. */
  readonly calibration: number | null
  /** Expected calibration error over 10 bins of equal count: mean |rate − prediction|, weighted by rows. */
  readonly ece: number | null
  readonly perPosition: readonly PositionMetrics[]
}

interface PositionMetrics {
  readonly position: number
  readonly rows: number
  readonly positives: number
  readonly calibration: number | null
}

const LEAST_PROBABILITY = 1e-7

const lossOf = (probability: number, label: number): number => {
  const held = Math.min(Math.max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
  return -Math.log(label === 1 ? held : 1 - held)
}

/** All measures of one slice. `baseRate` is the rate of the training slices; `positions` are 1-based, one a row. */
export function measure(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  baseRate: number,
  positions: ArrayLike<number> = [],
): Metrics {
  const rows = labels.length
  const positives = sum(labels)
  const ownRate = rows === 0 ? 0 : positives / rows
  const loss = logLoss(predictions, labels)
  const ownLoss = logLossOfRate(ownRate, labels)
  return {
    rows,
    positives,
    auc: auc(predictions, labels),
    logLoss: loss,
    baseRateLogLoss: logLossOfRate(baseRate, labels),
    normalisedEntropy:
      positives === 0 || positives === rows || loss === null || ownLoss === null ? null : loss / ownLoss,
    calibration: calibration(predictions, labels),
    ece: expectedCalibrationError(predictions, labels),
    perPosition: byPosition(predictions, labels, positions),
  }
}

/** Mean log loss in nats; probabilities are held within [1e-7, 1 − 1e-7]. */
export function logLoss(predictions: ArrayLike<number>, labels: ArrayLike<number>): number | null {
  if (labels.length === 0) return null
  let total = 0
  for (let row = 0; row < labels.length; row++) total += lossOf(predictions[row]!, labels[row]!)
  return total / labels.length
}

/** The log loss of each row. */
export const rowLosses = (predictions: ArrayLike<number>, labels: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: labels.length }, (_, row) => lossOf(predictions[row]!, labels[row]!))

/** Mean log loss of one probability for all rows. */
export function logLossOfRate(rate: number, labels: ArrayLike<number>): number | null {
  if (labels.length === 0) return null
  const positives = sum(labels)
  return (positives * lossOf(rate, 1) + (labels.length - positives) * lossOf(rate, 0)) / labels.length
}

/** By the rank sum (Mann–Whitney U); equal predictions share their mean rank. Null with one class only, or a prediction that is no number. */
export function auc(predictions: ArrayLike<number>, labels: ArrayLike<number>): number | null {
  const rows = labels.length
  const positives = sum(labels)
  if (positives === 0 || positives === rows || hasNaN(predictions)) return null
  const order = ascending(predictions, rows)
  let rankSum = 0
  for (let start = 0; start < rows; ) {
    let end = start
    let tiedPositives = 0
    while (end < rows && predictions[order[end]!]! === predictions[order[start]!]!)
      tiedPositives += labels[order[end++]!]!
    // Ranks start+1 … end, so their mean is (start + 1 + end) / 2.
    rankSum += (tiedPositives * (start + 1 + end)) / 2
    start = end
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (rows - positives))
}

const hasNaN = (values: ArrayLike<number>): boolean => Array.prototype.some.call(values, Number.isNaN)

/** Σ predicted ÷ Σ happened; null when nothing happened. */
export function calibration(predictions: ArrayLike<number>, labels: ArrayLike<number>): number | null {
  const happened = sum(labels)
  if (happened === 0) return null
  let predicted = 0
  for (let row = 0; row < labels.length; row++) predicted += predictions[row]!
  return predicted / happened
}

/** Bins hold equal counts to within one row, ordered by prediction. */
export function expectedCalibrationError(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  bins = 10,
): number | null {
  const rows = labels.length
  if (rows === 0) return null
  const order = ascending(predictions, rows)
  let error = 0
  for (let bin = 0; bin < bins; bin++) {
    const end = Math.floor(((bin + 1) * rows) / bins)
    let gap = 0
    for (let index = Math.floor((bin * rows) / bins); index < end; index++) {
      gap += predictions[order[index]!]! - labels[order[index]!]!
    }
    error += Math.abs(gap)
  }
  return error / rows
}

function byPosition(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  positions: ArrayLike<number>,
): PositionMetrics[] {
  const sums = new Map<number, { rows: number; positives: number; predicted: number }>()
  for (let row = 0; row < positions.length; row++) {
    const position = positions[row]!
    const entry = sums.get(position) ?? { rows: 0, positives: 0, predicted: 0 }
    entry.rows++
    entry.positives += labels[row]!
    entry.predicted += predictions[row]!
    sums.set(position, entry)
  }
  return [...sums]
    .sort(([a], [b]) => a - b)
    .map(([position, { rows, positives, predicted }]) => ({
      position,
      rows,
      positives,
      calibration: positives === 0 ? null : predicted / positives,
    }))
}

/** Row numbers by rising prediction; equal ones keep their order, so that the result is the same each time. */
function ascending(predictions: ArrayLike<number>, rows: number): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, row) => row)
  return order.sort((a, b) => predictions[a]! - predictions[b]! || a - b)
}

function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let index = 0; index < values.length; index++) total += values[index]!
  return total
}
