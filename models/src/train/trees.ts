import { binRows } from './bins.js'
import { growTree } from './grow-tree.js'
import { sigmoid } from './log-odds.js'
import { rowLosses } from './metrics.js'
import type { FeatureRows, LabelledRows } from './rows.js'

/**
 * One regression tree: a row starts at node 0 and goes left where its value of the node's column is at most the threshold. A child below
 * zero is a leaf: the bitwise complement of its number.
 */
export interface Tree {
  readonly columns: Uint16Array
  readonly thresholds: Float32Array
  readonly left: Int32Array
  readonly right: Int32Array
  /** What each leaf adds to the score. */
  readonly leaves: Float32Array
}

export interface BoostingOptions {
  /** Trees at most. */
  readonly rounds: number
  /** Leaves of one tree at most; ≥ 2. */
  readonly leaves: number
  /** Rows of a leaf at least, as estimated from their second derivatives; ≥ 1. */
  readonly leastRows: number
  /** What share of its step a tree takes; in (0, 1]. */
  readonly rate: number
  /** λ of a leaf, −rate · G ÷ (H + λ); ≥ 0. */
  readonly l2: number
}

/** Rows with the score that each has before the first tree. */
export interface ScoredRows extends LabelledRows {
  readonly scores: Float64Array
}

export interface EarlyStop {
  readonly validation: ScoredRows
  /** So many trees in a row that do not lower its log loss end the search. */
  readonly patience: number
}

/**
 * Gradient-boosted trees for log loss [Friedman 2001], each grown leaf by leaf over histograms [Ke et al. 2017], on top of the scores
 * that the rows have. Deterministic. With `earlyStop`, the trees up to the least log loss of those rows, which may be none at all.
 * @throws RangeError without rows, or for options out of their ranges
 */
export function fitTrees(
  data: ScoredRows,
  options: BoostingOptions,
  earlyStop?: EarlyStop,
  onProgress: (share: number) => void = () => undefined,
): readonly Tree[] {
  assertInRange(data, options)
  const trees: Tree[] = []
  const watch = earlyStop && createWatch(earlyStop)
  const binned = binRows(data)
  const scores = data.scores.slice()
  const slopes = new Float64Array(data.rows * 2)
  for (let round = 0; round < options.rounds; round++) {
    setSlopes(data, scores, slopes)
    const tree = growTree(binned, slopes, options, scores)
    if (!tree) break
    trees.push(tree)
    onProgress((round + 1) / options.rounds)
    if (watch?.isDoneAfter(tree)) break
  }
  onProgress(1)
  return watch ? trees.slice(0, watch.bestCount()) : trees
}

/** Adds to the score of each row what the trees say of it, in double precision. */
export function addTrees(
  trees: readonly Tree[],
  { rows, columns, features }: FeatureRows,
  scores: Float64Array,
): void {
  for (let row = 0; row < rows; row++)
    for (const tree of trees) scores[row]! += leafOf(tree, features, row * columns)
}

function leafOf(
  { columns, thresholds, left, right, leaves }: Tree,
  features: Float32Array,
  at: number,
): number {
  let node = 0
  while (node >= 0) node = features[at + columns[node]!]! <= thresholds[node]! ? left[node]! : right[node]!
  return leaves[~node]!
}

/** First and second derivatives of the log loss by each row's score, beside each other: p − y and p(1 − p). */
function setSlopes(
  { rows, labels, weights }: LabelledRows,
  scores: Float64Array,
  slopes: Float64Array,
): void {
  for (let row = 0; row < rows; row++) {
    const weight = weights ? weights[row]! : 1
    const probability = sigmoid(scores[row]!)
    slopes[2 * row] = weight * (probability - labels[row]!)
    slopes[2 * row + 1] = weight * probability * (1 - probability)
  }
}

function createWatch({ validation, patience }: EarlyStop) {
  const scores = validation.scores.slice()
  const { labels, weights } = validation
  const lossNow = (): number =>
    rowLosses(Float64Array.from(scores, sigmoid), labels).reduce(
      (sum, loss, row) => sum + (weights ? weights[row]! : 1) * loss,
      0,
    )
  let count = 0
  let best = { count, loss: lossNow() }
  return {
    isDoneAfter(tree: Tree): boolean {
      count++
      addTrees([tree], validation, scores)
      const loss = lossNow()
      if (loss < best.loss) best = { count, loss }
      return count - best.count >= patience
    },
    bestCount: () => best.count,
  }
}

function assertInRange({ rows }: LabelledRows, { leaves, leastRows, rate, l2 }: BoostingOptions): void {
  if (rows === 0) throw new RangeError('nothing to fit')
  if (!(leaves >= 2)) throw new RangeError('a tree needs two leaves at least')
  if (!(leastRows >= 1)) throw new RangeError('a leaf needs a row at least')
  if (!(rate > 0 && rate <= 1)) throw new RangeError('the rate must be above 0 and at most 1')
  if (!(l2 >= 0)) throw new RangeError('the penalty must not be negative')
}
