import { sigmoid } from './log-odds.js'
import { type LogisticModel, scoreLogistic } from './logistic.js'
import { addTrees, type Tree } from './trees.js'

/**
 * Score = that of a logistic regression + one leaf of each tree; probability = sigmoid(score). All numbers are float32 values, so that
 * the ONNX file holds exactly this model.
 */
export interface BoostedModel {
  readonly logistic: LogisticModel
  /** None: the logistic regression alone. */
  readonly trees: readonly Tree[]
}

/** Probabilities of `rows` rows, in double precision from float32 inputs. */
export function predictBoosted(
  { logistic, trees }: BoostedModel,
  features: Float32Array,
  rows: number,
): Float32Array {
  const data = { rows, columns: logistic.weights.length, features }
  const scores = scoreLogistic(logistic, data)
  addTrees(trees, data, scores)
  return Float32Array.from(scores, sigmoid)
}
