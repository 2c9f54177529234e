import { sigmoid } from './log-odds.js'
import { baseScore, type FeatureRows, isOneClass, type LabelledRows, labelMass } from './rows.js'

/**
 * Logistic regression over standardised features. All numbers are float32 values, so that the ONNX file holds exactly this model.
 * A feature is first kept within what training saw: a model of one afternoon says nothing about other hours.
 */
export interface LogisticModel {
  readonly least: Float32Array
  readonly largest: Float32Array
  readonly means: Float32Array
  readonly scales: Float32Array
  readonly weights: Float32Array
  readonly intercept: number
}

export interface FitOptions {
  /** Penalty λ/2 · Σ weight² (the intercept is free) beside the summed log loss; > 0. */
  readonly l2: number
  /** Start from this model's weights: the same answer, sooner. */
  readonly from?: LogisticModel
  /** Upper bound of Newton steps; it usually takes five to eight. */
  readonly maxSteps?: number
}

const GRADIENT_TOLERANCE = 1e-7
const SMALLEST_SCALE = 1e-6

/**
 * Maximum a-posteriori logistic regression by Newton's method with step halving (iteratively reweighted least squares).
 * Deterministic. Labels of one class only give the smoothed base rate, (positives + ½) ÷ (rows + 1), and no weights.
 * @throws RangeError without rows, or for a penalty that is not positive
 */
export function fitLogistic(data: LabelledRows, options: FitOptions): LogisticModel {
  if (data.rows === 0) throw new RangeError('nothing to fit')
  if (!(options.l2 > 0)) throw new RangeError('the penalty must be positive')
  const scaling = standardisation(data)
  const mass = labelMass(data)
  const base = baseScore(mass)
  if (isOneClass(mass))
    return { ...scaling, weights: new Float32Array(data.columns), intercept: Math.fround(base) }
  // The last parameter is the intercept.
  let parameters = startingPoint(scaling, options.from, base)
  const standard = standardiseAll(data, scaling)
  let state = evaluate(standard, parameters, options.l2)
  for (let step = 0; step < (options.maxSteps ?? 30); step++) {
    if (largest(state.gradient) <= GRADIENT_TOLERANCE * mass.total) break
    const direction = solve(state.hessian, state.gradient)
    let moved = false
    for (let rate = 1; rate > 1e-4; rate /= 2) {
      const next = parameters.map((value, index) => value - rate * direction[index]!)
      const candidate = evaluate(standard, next, options.l2)
      if (candidate.loss < state.loss) {
        parameters = next
        state = candidate
        moved = true
        break
      }
    }
    if (!moved) break
  }
  return {
    ...scaling,
    weights: Float32Array.from(parameters.subarray(0, data.columns)),
    intercept: Math.fround(parameters[data.columns]!),
  }
}

/** Log-odds of each row, in double precision from float32 inputs. */
export function scoreLogistic(model: LogisticModel, { rows, columns, features }: FeatureRows): Float64Array {
  const scores = new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    let score = model.intercept
    for (let column = 0; column < columns; column++) {
      score += model.weights[column]! * standardised(model, features[row * columns + column]!, column)
    }
    scores[row] = score
  }
  return scores
}

/** Probabilities of `rows` rows. */
export const predictLogistic = (model: LogisticModel, features: Float32Array, rows: number): Float32Array =>
  Float32Array.from(scoreLogistic(model, { rows, columns: model.weights.length, features }), sigmoid)

type Scaling = Pick<LogisticModel, 'least' | 'largest' | 'means' | 'scales'>

/** In float32 at each step, as the ONNX graph computes it. */
function standardised(scaling: Scaling, value: number, column: number): number {
  const clipped = Math.min(Math.max(value, scaling.least[column]!), scaling.largest[column]!)
  return Math.fround(Math.fround(clipped - scaling.means[column]!) / scaling.scales[column]!)
}

function standardisation({ rows, columns, features }: LabelledRows): Scaling {
  const least = new Float32Array(columns).fill(Number.POSITIVE_INFINITY)
  const largestSeen = new Float32Array(columns).fill(Number.NEGATIVE_INFINITY)
  const sums = new Float64Array(columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = features[row * columns + column]!
      if (value < least[column]!) least[column] = value
      if (value > largestSeen[column]!) largestSeen[column] = value
      sums[column]! += value
    }
  }
  const means = Float32Array.from(sums, (sum) => sum / rows)
  const squares = new Float64Array(columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      squares[column]! += (features[row * columns + column]! - means[column]!) ** 2
    }
  }
  // A constant column keeps scale 1: it standardises to about 0 and the penalty keeps its weight at 0.
  const scales = Float32Array.from(squares, (sum) => {
    const deviation = Math.sqrt(sum / rows)
    return deviation < SMALLEST_SCALE ? 1 : deviation
  })
  return { least, largest: largestSeen, means, scales }
}

/** A former model's weights belong to its own scaling: expressed in this one they start the search near the answer. */
function startingPoint(scaling: Scaling, from: LogisticModel | undefined, base: number): Float64Array {
  const columns = scaling.means.length
  const start = new Float64Array(columns + 1)
  start[columns] = base
  if (from && from.weights.length === columns) {
    let intercept = from.intercept
    for (let column = 0; column < columns; column++) {
      const slope = from.weights[column]! / from.scales[column]!
      start[column] = slope * scaling.scales[column]!
      intercept += slope * (scaling.means[column]! - from.means[column]!)
    }
    start[columns] = intercept
  }
  return start
}

interface Evaluation {
  readonly loss: number
  readonly gradient: Float64Array
  /** Symmetric, row-major. */
  readonly hessian: Float64Array
}

/** The same rows with standardised features, so that the steps of the search need not do it again. */
function standardiseAll(data: LabelledRows, scaling: Scaling): LabelledRows {
  const { columns } = data
  const features = new Float32Array(data.rows * columns)
  for (let at = 0; at < features.length; at++)
    features[at] = standardised(scaling, data.features[at]!, at % columns)
  return { ...data, features }
}

/** Penalised log loss at `parameters` over standardised rows, with gradient and Hessian. */
function evaluate(data: LabelledRows, parameters: Float64Array, l2: number): Evaluation {
  const { rows, columns, features, labels, weights } = data
  const size = columns + 1
  const gradient = new Float64Array(size)
  const hessian = new Float64Array(size * size)
  const row64 = new Float64Array(size)
  row64[columns] = 1
  let loss = 0
  for (let row = 0; row < rows; row++) {
    let score = parameters[columns]!
    for (let column = 0; column < columns; column++) {
      const value = features[row * columns + column]!
      row64[column] = value
      score += parameters[column]! * value
    }
    const weight = weights ? weights[row]! : 1
    const label = labels[row]!
    const probability = sigmoid(score)
    // log(1 + e^s) − y·s, without overflow.
    loss += weight * (Math.max(score, 0) + Math.log1p(Math.exp(-Math.abs(score))) - label * score)
    const slope = weight * (probability - label)
    const curvature = weight * probability * (1 - probability)
    for (let i = 0; i < size; i++) {
      const value = row64[i]!
      if (value === 0) continue
      gradient[i]! += slope * value
      const scaled = curvature * value
      for (let j = 0; j <= i; j++) hessian[i * size + j]! += scaled * row64[j]!
    }
  }
  for (let column = 0; column < columns; column++) {
    loss += (l2 / 2) * parameters[column]! ** 2
    gradient[column]! += l2 * parameters[column]!
    hessian[column * size + column]! += l2
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) hessian[j * size + i] = hessian[i * size + j]!
  return { loss, gradient, hessian }
}

const largest = (values: Float64Array): number => {
  let most = 0
  for (const value of values) most = Math.max(most, Math.abs(value))
  return most
}

/** Solves A·x = b for a symmetric positive definite A by Cholesky; a pivot lost to rounding is held just above 0. */
function solve(matrix: Float64Array, right: Float64Array): Float64Array {
  const size = right.length
  const lower = new Float64Array(size * size)
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * size + j]!
      for (let k = 0; k < j; k++) sum -= lower[i * size + k]! * lower[j * size + k]!
      lower[i * size + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / lower[j * size + j]!
    }
  }
  const solution = Float64Array.from(right)
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) solution[i]! -= lower[i * size + k]! * solution[k]!
    solution[i]! /= lower[i * size + i]!
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) solution[i]! -= lower[k * size + i]! * solution[k]!
    solution[i]! /= lower[i * size + i]!
  }
  return solution
}
