import {
  encodeRankingModel,
  type GraphNode,
  type Initializer,
  LAST_AXIS,
  type ModelHead,
} from '@endcap/models'
import type { ModelMetadata } from '@endcap/ranking'
import { seededRandom } from './random.js'

const TREES = 100
const DEPTH = 5
const INNER_NODES = 2 ** DEPTH - 1
const LARGEST_LEAF = 0.05

/** Trees of one depth, all full, each with its nodes in the order of a heap: the children of node n are 2n + 1 and 2n + 2. */
interface Ensemble {
  /** By tree × INNER_NODES + node. */
  readonly columns: readonly number[]
  readonly thresholds: Float32Array
  /** By tree × (INNER_NODES + 1) + leaf, from the left. */
  readonly leaves: Float32Array
  readonly base: number
}

/**
 * A model of the size that gradient boosting usually makes: a hundred trees of depth 5 for clicks and as many for orders. Their splits
 * are drawn from values that the features really have, so that rows go every way.
 */
export function createTreeModel(
  features: Float32Array,
  columns: number,
  metadata: Omit<ModelMetadata, 'golden'>,
  golden: Float32Array,
): Uint8Array {
  const ctr = growTrees(features, columns, metadata.priorCtr, 11)
  const cvr = growTrees(features, columns, metadata.priorCvr, 13)
  const rows = golden.length / columns
  return encodeRankingModel({
    name: 'bench-trees',
    heads: [head('pctr', ctr), head('pcvr', cvr)],
    metadata: {
      ...metadata,
      golden: {
        features: golden,
        pctr: predict(ctr, golden, columns, rows),
        pcvr: predict(cvr, golden, columns, rows),
      },
    },
  })
}

function growTrees(features: Float32Array, columns: number, prior: number, seed: number): Ensemble {
  const random = seededRandom(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const rows = features.length / columns
  const chosen = Array.from({ length: TREES * INNER_NODES }, () => pick(columns))
  return {
    columns: chosen,
    thresholds: Float32Array.from(chosen, (column) => features[pick(rows) * columns + column]!),
    leaves: Float32Array.from({ length: TREES * (INNER_NODES + 1) }, () => (random() * 2 - 1) * LARGEST_LEAF),
    base: Math.log(prior / (1 - prior)),
  }
}

function predict(
  { columns, thresholds, leaves, base }: Ensemble,
  features: Float32Array,
  width: number,
  rows: number,
): Float32Array {
  return Float32Array.from({ length: rows }, (_, row) => {
    let score = base
    for (let tree = 0; tree < TREES; tree++) {
      let node = 0
      while (node < INNER_NODES) {
        const at = tree * INNER_NODES + node
        const goesLeft = features[row * width + columns[at]!]! <= thresholds[at]!
        node = 2 * node + (goesLeft ? 1 : 2)
      }
      score += leaves[tree * (INNER_NODES + 1) + node - INNER_NODES]!
    }
    return 1 / (1 + Math.exp(-score))
  })
}

/** `features` [N, F] → trees → base score → sigmoid → the output [N]. */
function head(output: string, { columns, thresholds, leaves, base }: Ensemble): ModelHead {
  const nodesOfTree = Array.from({ length: 2 * INNER_NODES + 1 }, (_, node) => node)
  const leavesOfTree = nodesOfTree.slice(INNER_NODES)
  const inAllTrees = <T>(nodes: readonly number[], value: (tree: number, node: number) => T): T[] =>
    Array.from({ length: TREES }, (_, tree) => nodes.map((node) => value(tree, node))).flat()
  const isInner = (node: number): boolean => node < INNER_NODES
  const ofInner = <T>(values: ArrayLike<T>, leaf: T): T[] =>
    inAllTrees(nodesOfTree, (tree, node) => (isInner(node) ? values[tree * INNER_NODES + node]! : leaf))
  const ints = (name: string, value: readonly number[]) => ({ name, type: 'ints', value }) as const
  const floats = (name: string, value: readonly number[]) => ({ name, type: 'floats', value }) as const
  const trees: GraphNode = {
    op: 'TreeEnsembleRegressor',
    domain: 'ai.onnx.ml',
    inputs: ['features'],
    output: `${output}_trees`,
    attributes: [
      { name: 'n_targets', type: 'int', value: 1 },
      ints(
        'nodes_treeids',
        inAllTrees(nodesOfTree, (tree) => tree),
      ),
      ints(
        'nodes_nodeids',
        inAllTrees(nodesOfTree, (_, node) => node),
      ),
      ints('nodes_featureids', ofInner(columns, 0)),
      floats('nodes_values', ofInner(thresholds, 0)),
      {
        name: 'nodes_modes',
        type: 'strings',
        value: inAllTrees(nodesOfTree, (_, node) => (isInner(node) ? 'BRANCH_LEQ' : 'LEAF')),
      },
      ints(
        'nodes_truenodeids',
        inAllTrees(nodesOfTree, (_, node) => (isInner(node) ? 2 * node + 1 : 0)),
      ),
      ints(
        'nodes_falsenodeids',
        inAllTrees(nodesOfTree, (_, node) => (isInner(node) ? 2 * node + 2 : 0)),
      ),
      ints(
        'target_treeids',
        inAllTrees(leavesOfTree, (tree) => tree),
      ),
      ints(
        'target_nodeids',
        inAllTrees(leavesOfTree, (_, node) => node),
      ),
      ints(
        'target_ids',
        inAllTrees(leavesOfTree, () => 0),
      ),
      floats('target_weights', Array.from(leaves)),
    ],
  }
  const initializers: Initializer[] = [{ name: `${output}_base`, type: 'float32', dims: [], values: [base] }]
  return {
    nodes: [
      trees,
      { op: 'Squeeze', inputs: [`${output}_trees`, LAST_AXIS], output: `${output}_column` },
      { op: 'Add', inputs: [`${output}_column`, `${output}_base`], output: `${output}_score` },
      { op: 'Sigmoid', inputs: [`${output}_score`], output },
    ],
    initializers,
  }
}
