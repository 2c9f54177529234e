import type { BinnedRows } from './bins.js'
import { createRowSets, type Histogram } from './row-sets.js'
import type { BoostingOptions, Tree } from './trees.js'

/** Summed first and second derivatives of some rows. */
interface Sums {
  readonly slope: number
  readonly curvature: number
}

interface Split {
  readonly column: number
  /** Rows of this bin and of those below it go left. */
  readonly bin: number
  readonly gain: number
  readonly left: Sums
  readonly right: Sums
}

/** Rows [from, to) of a tree, which may still be split. */
interface Part {
  readonly from: number
  readonly to: number
  readonly sums: Sums
  readonly histogram: Histogram
}

interface Leaf extends Part {
  readonly split: Split | undefined
  /** Writes what stands in its place, a node or a leaf, into the node above. */
  readonly becomes: (child: number) => void
}

/** A sum of second derivatives below this is rounding. */
const LEAST_CURVATURE = 1e-3

/**
 * One tree: of all leaves, the one with the largest gain is split, until there are enough or none gains. What the tree says of each row
 * is added to `scores`. Undefined, with all scores as they were, when not even the root gains.
 * @param slopes by row: first and second derivative of the loss
 */
export function growTree(
  binned: BinnedRows,
  slopes: Float64Array,
  options: BoostingOptions,
  scores: Float64Array,
): Tree | undefined {
  const rows = createRowSets(binned, slopes)
  const nodes = {
    columns: [] as number[],
    thresholds: [] as number[],
    left: [] as number[],
    right: [] as number[],
  }
  const leafOf = (part: Part, becomes: Leaf['becomes']): Leaf => ({
    ...part,
    split: bestSplit(part, rows.offsets, options),
    becomes,
  })

  function divide({ from, to, histogram, becomes }: Leaf, split: Split): [Leaf, Leaf] {
    const node = nodes.columns.push(split.column) - 1
    nodes.thresholds.push(binned.cuts[split.column]![split.bin]!)
    becomes(node)
    const middle = rows.partition(from, to, split)
    const leftIsSmaller = middle - from <= to - middle
    const smaller = leftIsSmaller ? rows.histogram(from, middle) : rows.histogram(middle, to)
    const larger = histogram
    for (let at = 0; at < larger.length; at++) larger[at]! -= smaller[at]!
    const [left, right] = leftIsSmaller ? [smaller, larger] : [larger, smaller]
    return [
      leafOf({ from, to: middle, sums: split.left, histogram: left }, (child) => (nodes.left[node] = child)),
      leafOf(
        { from: middle, to, sums: split.right, histogram: right },
        (child) => (nodes.right[node] = child),
      ),
    ]
  }

  const whole = { from: 0, to: rows.count, sums: sumsOf(slopes), histogram: rows.histogram(0, rows.count) }
  let leaves = [leafOf(whole, () => undefined)]
  while (leaves.length < options.leaves) {
    const next = mostGainful(leaves)
    if (!next?.split) break
    const parts = divide(next, next.split)
    leaves = leaves.flatMap((leaf) => (leaf === next ? parts : [leaf]))
  }
  if (leaves.length === 1) return undefined
  const values = Float32Array.from(
    leaves,
    ({ sums }) => (-options.rate * sums.slope) / (sums.curvature + options.l2),
  )
  for (const [index, { from, to, becomes }] of leaves.entries()) {
    becomes(~index)
    rows.addTo(scores, from, to, values[index]!)
  }
  return {
    columns: Uint16Array.from(nodes.columns),
    thresholds: Float32Array.from(nodes.thresholds),
    left: Int32Array.from(nodes.left),
    right: Int32Array.from(nodes.right),
    leaves: values,
  }
}

function sumsOf(slopes: Float64Array): Sums {
  let slope = 0
  let curvature = 0
  for (let at = 0; at < slopes.length; at += 2) {
    slope += slopes[at]!
    curvature += slopes[at + 1]!
  }
  return { slope, curvature }
}

/** The first of them where gains are equal. */
function mostGainful(leaves: readonly Leaf[]): Leaf | undefined {
  let most: Leaf | undefined
  for (const leaf of leaves) if (leaf.split && leaf.split.gain > (most?.split?.gain ?? 0)) most = leaf
  return most
}

/** How much a part lowers the loss, twice: G² ÷ (H + λ) [Chen & Guestrin 2016]. */
const scoreOf = (slope: number, curvature: number, l2: number): number => (slope * slope) / (curvature + l2)

/** The cut with the largest gain: score of the left + score of the right − score of both together. */
function bestSplit(
  { from, to, sums, histogram }: Part,
  offsets: readonly number[],
  { leastRows, l2 }: BoostingOptions,
): Split | undefined {
  // Rows are not counted by bin: a part's rows are taken to have the same second derivative.
  const leastCurvature = Math.max(LEAST_CURVATURE, ((leastRows - 0.5) * sums.curvature) / (to - from))
  const together = scoreOf(sums.slope, sums.curvature, l2)
  let best: Split | undefined
  let mostGain = 0
  for (let column = 0; column + 1 < offsets.length; column++) {
    const start = offsets[column]!
    let slope = 0
    let curvature = 0
    for (let at = start; at < offsets[column + 1]!; at += 2) {
      slope += histogram[at]!
      curvature += histogram[at + 1]!
      if (curvature < leastCurvature) continue
      if (sums.curvature - curvature < leastCurvature) break
      const gain =
        scoreOf(slope, curvature, l2) + scoreOf(sums.slope - slope, sums.curvature - curvature, l2) - together
      if (gain <= mostGain) continue
      mostGain = gain
      best = {
        column,
        bin: (at - start) / 2,
        gain,
        left: { slope, curvature },
        right: { slope: sums.slope - slope, curvature: sums.curvature - curvature },
      }
    }
  }
  return best
}
