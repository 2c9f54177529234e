import { fitLogistic, type LogisticModel, predictLogistic } from './logistic.js'
import { type Metrics, measure, rowLosses } from './metrics.js'
import { type LabelledRows, sliceRows } from './rows.js'

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

export interface FittedHead {
  readonly model: LogisticModel
  /** The penalty that validation chose. */
  readonly l2: number
  /** Rate of the label over the training and validation slices. */
  readonly baseRate: number
}

export interface FitResult {
  readonly ctr: FittedHead
  readonly cvr: FittedHead
  /** On the test slice, at the positions shown. */
  readonly metrics: { readonly ctr: Metrics; readonly cvr: Metrics }
  readonly golden: {
    readonly features: Float32Array
    readonly pctr: Float32Array
    readonly pcvr: Float32Array
  }
}

/** From all but a constant to barely held. */
const PENALTIES = [10_000, 1_000, 100, 10, 1] as const

/**
 * Fits both heads: clicks over all rows, orders over the clicked ones. Each penalty is tried on the training slice, the validation slice
 * chooses one, and the model is then fitted to both. `onProgress` hears shares of the work from 0 to 1.
 */
export function fitRanking(
  input: FitInput,
  onProgress: (share: number) => void = () => undefined,
): FitResult {
  const clicks: LabelledRows = {
    rows: input.rows,
    columns: input.columns,
    features: input.features,
    labels: input.clicked,
  }
  const ctr = fitHead(clicks, input.trainEnd, input.validationEnd, (share) => onProgress(share * 0.8))
  const clicked = clickedRows(input)
  const cvr = fitHead(clicked.rows, clicked.trainEnd, clicked.validationEnd, (share) =>
    onProgress(0.8 + share * 0.15),
  )
  const test = sliceRows(clicks, input.validationEnd, input.rows)
  const clickedTest = sliceRows(clicked.rows, clicked.validationEnd, clicked.rows.rows)
  const metrics = {
    ctr: measure(
      predictLogistic(ctr.model, test.features, test.rows),
      test.labels,
      ctr.baseRate,
      input.positions.subarray(input.validationEnd),
    ),
    cvr: measure(
      predictLogistic(cvr.model, clickedTest.features, clickedTest.rows),
      clickedTest.labels,
      cvr.baseRate,
    ),
  }
  const golden = goldenFeatures(input)
  onProgress(1)
  return {
    ctr,
    cvr,
    metrics,
    golden: {
      features: golden,
      pctr: predictLogistic(ctr.model, golden, input.goldenRows),
      pcvr: predictLogistic(cvr.model, golden, input.goldenRows),
    },
  }
}

function fitHead(
  data: LabelledRows,
  trainEnd: number,
  validationEnd: number,
  onProgress: (share: number) => void,
): FittedHead {
  const seen = sliceRows(data, 0, validationEnd)
  const baseRate = rateOf(seen.labels)
  const train = sliceRows(data, 0, trainEnd)
  const validation = sliceRows(data, trainEnd, validationEnd)
  // Without rows on either side there is nothing to choose by: the strongest penalty stays.
  const l2 =
    train.rows > 0 && validation.rows > 0 ? choosePenalty(train, validation, onProgress) : PENALTIES[0]
  const model = seen.rows > 0 ? fitLogistic(seen, { l2 }) : unfitted(data.columns)
  onProgress(1)
  return { model, l2, baseRate }
}

/**
 * The strongest penalty whose loss on the validation slice is within one standard error of the least one (paired by row): what the rows
 * cannot tell apart is settled for the simpler model [the one-standard-error rule of Breiman et al. 1984].
 */
function choosePenalty(
  train: LabelledRows,
  validation: LabelledRows,
  onProgress: (share: number) => void,
): number {
  let former: LogisticModel | undefined
  const tried = PENALTIES.map((l2, index) => {
    former = fitLogistic(train, { l2, ...(former && { from: former }) })
    const losses = rowLosses(predictLogistic(former, validation.features, validation.rows), validation.labels)
    onProgress((index + 1) / (PENALTIES.length + 1))
    return { l2, losses, mean: meanOf(losses) }
  })
  const best = tried.reduce((least, one) => (one.mean < least.mean ? one : least))
  return tried.find(({ losses, mean }) => mean - best.mean <= standardErrorOfGap(losses, best.losses))!.l2
}

const meanOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length

function standardErrorOfGap(left: Float64Array, right: Float64Array): number {
  const gaps = left.map((loss, row) => loss - right[row]!)
  const mean = meanOf(gaps)
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / Math.max(1, gaps.length - 1)
  return Math.sqrt(variance / gaps.length)
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

function clickedRows(input: FitInput): { rows: LabelledRows; trainEnd: number; validationEnd: number } {
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
  return { rows: { rows: numbers.length, columns, features, labels }, trainEnd, validationEnd }
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
