import { type BoostedModel, predictBoosted } from './boosted-model.js'
import { fitLogistic, type LogisticModel, predictLogistic, scoreLogistic } from './logistic.js'
import { logLoss, type Metrics, measure, rowLosses } from './metrics.js'
import { type LabelledRows, sliceRows } from './rows.js'
import { type BoostingOptions, fitTrees, type ScoredRows, type Tree } from './trees.js'

/** What the fit needs; plain arrays, so that it crosses to a worker thread (shared memory is not copied). */
export interface FitInput {
  readonly rows: number
  readonly columns: number
  readonly features: Float32Array
  readonly clicked: Uint8Array
  readonly ordered: Uint8Array
  readonly positions: Uint16Array
  readonly trainEnd: number
  readonly validationEnd: number
  readonly goldenRows: number
}

interface FittedHead {
  readonly model: BoostedModel
  /** The penalty of the logistic regression that validation chose. */
  readonly l2: number
  /** Rate of the label over the training and validation slices. */
  readonly baseRate: number
  /** Log loss of the logistic regression alone on the test slice; undefined without trees or without rows. */
  readonly logisticLogLoss: number | undefined
  /** On the test slice, at the positions shown. */
  readonly metrics: Metrics
}

export interface FitResult {
  readonly ctr: FittedHead
  readonly cvr: FittedHead
  readonly golden: {
    readonly features: Float32Array
    readonly pctr: Float32Array
    readonly pcvr: Float32Array
  }
}

/** From all but a constant to barely held. */
const PENALTIES = [10_000, 1_000, 100, 10, 1] as const

const BOOSTING: BoostingOptions = { rounds: 400, leaves: 15, leastRows: 50, rate: 0.05, l2: 1 }
const PATIENCE = 20

/**
 * Fits both heads: clicks over all rows, orders over the clicked ones. Each is a logistic regression, whose penalty the validation slice
 * chooses, with trees boosted on top of it, as many as that slice gains from: none where there is too little to learn more than a line.
 * Both are then fitted to both slices. `onProgress` hears shares of the work from 0 to 1.
 */
export function fitRanking(
  input: FitInput,
  onProgress: (share: number) => void = () => undefined,
): FitResult {
  const clicks: SlicedRows = {
    rows: input.rows,
    columns: input.columns,
    features: input.features,
    labels: input.clicked,
    positions: input.positions,
    trainEnd: input.trainEnd,
    validationEnd: input.validationEnd,
  }
  const ctr = fitHead(clicks, (share) => onProgress(share * 0.85))
  const cvr = fitHead(clickedRows(input), (share) => onProgress(0.85 + share * 0.15))
  const features = goldenFeatures(input)
  const { goldenRows } = input
  return {
    ctr,
    cvr,
    golden: {
      features,
      pctr: predictBoosted(ctr.model, features, goldenRows),
      pcvr: predictBoosted(cvr.model, features, goldenRows),
    },
  }
}

/** In the order of time: to train on up to `trainEnd`, to choose by up to `validationEnd`, to measure on from there. */
interface SlicedRows extends LabelledRows {
  readonly trainEnd: number
  readonly validationEnd: number
  /** Empty where they are not measured by. */
  readonly positions: Uint16Array
}

function fitHead(data: SlicedRows, onProgress: (share: number) => void): FittedHead {
  const { trainEnd, validationEnd } = data
  const seen = sliceRows(data, 0, validationEnd)
  const train = sliceRows(data, 0, trainEnd)
  const validation = sliceRows(data, trainEnd, validationEnd)
  const test = sliceRows(data, validationEnd, data.rows)
  const baseRate = rateOf(seen.labels)
  // Without rows on either side there is nothing to choose by: the strongest penalty stays, and no trees.
  const { l2, rounds } =
    train.rows > 0 && validation.rows > 0
      ? chooseSize(train, validation, (share) => onProgress(share * 0.6))
      : { l2: PENALTIES[0], rounds: 0 }
  const logistic = seen.rows > 0 ? fitLogistic(seen, { l2 }) : unfitted(data.columns)
  const trees =
    rounds === 0
      ? []
      : fitTrees(scoredBy(logistic, seen), { ...BOOSTING, rounds }, undefined, (share) =>
          onProgress(0.6 + share * 0.4),
        )
  const model = { logistic, trees }
  onProgress(1)
  const predictions = predictBoosted(model, test.features, test.rows)
  return {
    model,
    l2,
    baseRate,
    logisticLogLoss:
      rounds === 0
        ? undefined
        : (logLoss(predictLogistic(logistic, test.features, test.rows), test.labels) ?? undefined),
    metrics: measure(predictions, test.labels, baseRate, data.positions.subarray(validationEnd)),
  }
}

const scoredBy = (model: LogisticModel, data: LabelledRows): ScoredRows => ({
  ...data,
  scores: scoreLogistic(model, data),
})

/** What the validation slice says of how much may be learned. */
function chooseSize(
  train: LabelledRows,
  validation: LabelledRows,
  onProgress: (share: number) => void,
): { readonly l2: number; readonly rounds: number } {
  const { l2, model } = choosePenalty(train, validation, (share) => onProgress(share / 2))
  const rounds = chooseRounds(model, train, validation, (share) => onProgress(0.5 + share / 2))
  return { l2, rounds }
}

/**
 * The strongest penalty whose loss on the validation slice is within one standard error of the least one (paired by row): what the rows
 * cannot tell apart is settled for the simpler model [the one-standard-error rule of Breiman et al. 1984].
 */
function choosePenalty(
  train: LabelledRows,
  validation: LabelledRows,
  onProgress: (share: number) => void,
): { readonly l2: number; readonly model: LogisticModel } {
  let former: LogisticModel | undefined
  const tried = PENALTIES.map((l2, index) => {
    former = fitLogistic(train, { l2, ...(former && { from: former }) })
    onProgress((index + 1) / PENALTIES.length)
    const predictions = predictLogistic(former, validation.features, validation.rows)
    return { l2, model: former, losses: rowLosses(predictions, validation.labels) }
  })
  const best = tried.reduce((least, one) => (meanOf(one.losses) < meanOf(least.losses) ? one : least))
  return tried.find(({ losses }) => !isHigher(losses, best.losses, 1))!
}

/**
 * The number of trees that foretells the validation slice best. None, unless the trees that foretell its earlier half best, in which
 * its later half has no say, foretell that one better than the logistic regression alone by two standard errors.
 */
function chooseRounds(
  logistic: LogisticModel,
  train: LabelledRows,
  validation: LabelledRows,
  onProgress: (share: number) => void,
): number {
  const half = validation.rows >>> 1
  if (half === 0) return 0
  const rows = scoredBy(logistic, train)
  const treesFor = (slice: LabelledRows, progress: (share: number) => void): readonly Tree[] =>
    fitTrees(rows, BOOSTING, { validation: scoredBy(logistic, slice), patience: PATIENCE }, progress)
  const trees = treesFor(sliceRows(validation, 0, half), (share) => onProgress(share / 2))
  const { features, labels, rows: count } = sliceRows(validation, half, validation.rows)
  const without = rowLosses(predictLogistic(logistic, features, count), labels)
  const withTrees = rowLosses(predictBoosted({ logistic, trees }, features, count), labels)
  if (!isHigher(without, withTrees, 2)) return 0
  return treesFor(validation, (share) => onProgress(0.5 + share / 2)).length
}

const meanOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** By more than so many standard errors of their mean difference, row by row. */
function isHigher(left: Float64Array, right: Float64Array, errors: number): boolean {
  const gaps = left.map((loss, row) => loss - right[row]!)
  const mean = meanOf(gaps)
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / Math.max(1, gaps.length - 1)
  return mean > errors * Math.sqrt(variance / gaps.length)
}

/** What is predicted of a label that was never observed either way. */
const UNKNOWN_RATE = 0.01

const unfitted = (columns: number): LogisticModel => ({
  least: new Float32Array(columns),
  largest: new Float32Array(columns),
  means: new Float32Array(columns),
  scales: new Float32Array(columns).fill(1),
  weights: new Float32Array(columns),
  intercept: Math.fround(Math.log(UNKNOWN_RATE / (1 - UNKNOWN_RATE))),
})

function rateOf(labels: Uint8Array): number {
  let positives = 0
  for (const label of labels) positives += label
  return labels.length === 0 ? UNKNOWN_RATE : positives / labels.length
}

function clickedRows(input: FitInput): SlicedRows {
  const { columns } = input
  const numbers: number[] = []
  let trainEnd = 0
  let validationEnd = 0
  for (let row = 0; row < input.rows; row++) {
    if (input.clicked[row] !== 1) continue
    numbers.push(row)
    if (row < input.trainEnd) trainEnd++
    if (row < input.validationEnd) validationEnd++
  }
  const features = new Float32Array(numbers.length * columns)
  for (const [to, from] of numbers.entries()) {
    features.set(input.features.subarray(from * columns, (from + 1) * columns), to * columns)
  }
  const labels = Uint8Array.from(numbers, (row) => input.ordered[row]!)
  return {
    rows: numbers.length,
    columns,
    features,
    labels,
    positions: new Uint16Array(),
    trainEnd,
    validationEnd,
  }
}

/** Values that no slate should hold, each filling a row: they must still give the same probability everywhere. */
const EXTREMES = [0, -0, 1, -1, 1e-45, 1e30, -1e30, 3.4e38, -3.4e38] as const

/** Rows spread over the data, the last of them replaced by extremes. */
function goldenFeatures(input: FitInput): Float32Array {
  const { columns, goldenRows } = input
  const features = new Float32Array(goldenRows * columns)
  for (let row = 0; row < goldenRows; row++) {
    const from = Math.floor((row * input.rows) / goldenRows)
    features.set(input.features.subarray(from * columns, (from + 1) * columns), row * columns)
  }
  for (const [index, value] of EXTREMES.entries()) {
    const row = goldenRows - 1 - index
    features.fill(value, row * columns, (row + 1) * columns)
  }
  return features
}
