import type { Metrics } from './train/metrics.js'

/** One comparison of the gate. null: it had no meaning on these rows. */
interface GateCheck {
  readonly name: string
  readonly left: number | null
  readonly right: number | null
  readonly ok: boolean
}

export interface Gate {
  readonly passed: boolean
  readonly checks: readonly GateCheck[]
}

/** Least sizes below which a comparison is noise. */
export const LEAST_TRAINING_ROWS = 500
const LEAST_TRAINING_POSITIVES = 20
const LEAST_TEST_ROWS = 100
const LEAST_TEST_POSITIVES = 3
const LEAST_CALIBRATION = 0.8
const LARGEST_CALIBRATION = 1.25
const CHANCE_DEVIATIONS = 2

export interface GateInput {
  readonly trainingRows: number
  readonly trainingPositives: number
  /** Clicks, on the test slice. */
  readonly metrics: Metrics
  /** Σ p(1 − p) of the test slice: the variance of the number of clicks if the model is right. */
  readonly clickVariance: number
  /** Log loss on the same rows of the logistic regression that the trees stand on; undefined without trees. */
  readonly logisticLogLoss: number | undefined
  /** The same of orders, on the clicked rows of the test slice. */
  readonly orders: { readonly logLoss: number | null; readonly logisticLogLoss: number | undefined }
  /** Log loss of the live model on the same rows as `metrics`; undefined without one that can be loaded. */
  readonly liveLogLoss: number | undefined
  /** Largest difference between the file's predictions and the trainer's. */
  readonly parityGap: number
  readonly parityTolerance: number
}

/**
 * Whether a model may go live: on rows later than all it learned from, it must foretell clicks better than the training slices' click
 * rate as a constant, better than without its trees (orders too) and better than the live model, with Σp/Σy within [0.8, 1.25] (or a difference that chance explains: within two
 * standard deviations of the number of clicks), from enough rows, and the file must predict what its trainer did.
 */
export function judge(input: GateInput): Gate {
  const { metrics } = input
  const checks: GateCheck[] = [
    atLeast('enough_training_rows', input.trainingRows, LEAST_TRAINING_ROWS),
    atLeast('enough_training_clicks', input.trainingPositives, LEAST_TRAINING_POSITIVES),
    atLeast('enough_test_rows', metrics.rows, LEAST_TEST_ROWS),
    atLeast('enough_test_clicks', metrics.positives, LEAST_TEST_POSITIVES),
    below('better_than_base_rate', metrics.logLoss, metrics.baseRateLogLoss),
    ...belowRival('better_than_logistic', metrics.logLoss, input.logisticLogLoss),
    ...belowRival('orders_better_than_logistic', input.orders.logLoss, input.orders.logisticLogLoss),
    ...belowRival('better_than_live', metrics.logLoss, input.liveLogLoss),
    calibrated(metrics, input.clickVariance),
    {
      name: 'file_predicts_as_trainer',
      left: input.parityGap,
      right: input.parityTolerance,
      ok: input.parityGap <= input.parityTolerance,
    },
  ]
  return { passed: checks.every((check) => check.ok), checks }
}

const atLeast = (name: string, left: number, right: number): GateCheck => ({
  name,
  left,
  right,
  ok: left >= right,
})

/** Not satisfied by a value that is missing or not finite. */
const below = (name: string, left: number | null, right: number | null): GateCheck => ({
  name,
  left,
  right,
  ok: left !== null && right !== null && Number.isFinite(left) && left < right,
})

/** No check without a rival. */
const belowRival = (name: string, left: number | null, right: number | undefined): GateCheck[] =>
  right === undefined ? [] : [below(name, left, right)]

function calibrated({ calibration, positives }: Metrics, variance: number): GateCheck {
  const name = 'calibrated'
  if (calibration === null) return { name, left: null, right: 1, ok: false }
  const within = calibration >= LEAST_CALIBRATION && calibration <= LARGEST_CALIBRATION
  const byChance = Math.abs(calibration - 1) * positives <= CHANCE_DEVIATIONS * Math.sqrt(variance)
  return { name, left: calibration, right: 1, ok: within || byChance }
}
