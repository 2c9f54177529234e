import type { ConstantTensor, GraphNode, Initializer, OnnxModel } from '@endcap/ranking/onnx'
import type { BoostedModel } from '../train/boosted-model.js'
import type { LogisticModel } from '../train/logistic.js'
import type { Tree } from '../train/trees.js'

/** The nodes that make one output [N] of `features` [N, F]. */
export type ModelHead = Pick<OnnxModel, 'nodes' | 'initializers'>

/** For `Squeeze`, which makes [N] of [N, 1]: a constant that the graph of every head must have. */
export const LAST_AXIS: Initializer = { name: 'last_axis', type: 'int64', dims: [1], values: [1] }

/**
 * `features` → kept within the trained range → standardised → weights → + trees → sigmoid → `output`, all in float32. Its predictions
 * are those of `predictBoosted` to 1e-5.
 */
export function boostedHead(output: string, { logistic, trees }: BoostedModel): ModelHead {
  const line = logisticScore(output, logistic)
  if (trees.length === 0) return withSigmoid(output, line)
  const parts = (part: string): string => `${output}_${part}`
  return withSigmoid(output, {
    initializers: line.initializers,
    nodes: [
      ...line.nodes,
      treeEnsemble(trees, parts('tree_sums')),
      { op: 'Squeeze', inputs: [parts('tree_sums'), LAST_AXIS.name], output: parts('tree_sum') },
      { op: 'Add', inputs: [line.nodes.at(-1)!.output, parts('tree_sum')], output: parts('boosted_score') },
    ],
  })
}

const withSigmoid = (output: string, { nodes, initializers }: ModelHead): ModelHead => ({
  nodes: [...nodes, { op: 'Sigmoid', inputs: [nodes.at(-1)!.output], output }],
  initializers,
})

/** The last node gives the log-odds, [N]. */
function logisticScore(output: string, model: LogisticModel): ModelHead {
  const features = model.weights.length
  const named = (part: string): string => `${output}_${part}`
  const initializers: Initializer[] = []
  const nodes: GraphNode[] = []
  let last = 'features'
  const constant = (part: string, dims: readonly number[], values: ArrayLike<number>): string => {
    initializers.push({ name: named(part), type: 'float32', dims, values })
    return named(part)
  }
  const apply = (op: string, operand: string, result: string): void => {
    nodes.push({ op, inputs: [last, operand], output: result })
    last = result
  }
  apply('Max', constant('least', [features], model.least), named('floored'))
  apply('Min', constant('largest', [features], model.largest), named('clipped'))
  apply('Sub', constant('means', [features], model.means), named('centred'))
  apply('Div', constant('scales', [features], model.scales), named('standardised'))
  apply('MatMul', constant('weights', [features, 1], model.weights), named('product'))
  apply('Squeeze', LAST_AXIS.name, named('column'))
  apply('Add', constant('intercept', [], [model.intercept]), named('score'))
  return { nodes, initializers }
}

// Numbers of the operator's enumerations: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
const BRANCH_LEQ = 0
const AGGREGATE_SUM = 1
const NO_POST_TRANSFORM = 0

/** All trees in one list of nodes and one of leaves, each child a number in either. */
function treeEnsemble(trees: readonly Tree[], output: string): GraphNode {
  const all = <T>(each: (tree: Tree) => Iterable<T>): T[] => trees.flatMap((tree) => [...each(tree)])
  const roots = runningSums(trees.map(({ columns }) => columns.length))
  const firstLeaves = runningSums(trees.map(({ leaves }) => leaves.length))
  const side = (name: string, children: (tree: Tree) => Int32Array) =>
    [
      {
        name: `nodes_${name}nodeids`,
        type: 'ints',
        value: trees.flatMap((tree, index) =>
          Array.from(children(tree), (child) =>
            child < 0 ? firstLeaves[index]! + ~child : roots[index]! + child,
          ),
        ),
      },
      {
        name: `nodes_${name}leafs`,
        type: 'ints',
        value: all((tree) => children(tree).map((child) => (child < 0 ? 1 : 0))),
      },
    ] as const
  const tensor = (type: ConstantTensor['type'], values: readonly number[]): ConstantTensor => ({
    type,
    dims: [values.length],
    values,
  })
  const thresholds = all(({ thresholds }) => thresholds)
  const leaves = all(({ leaves }) => leaves)
  return {
    op: 'TreeEnsemble',
    domain: 'ai.onnx.ml',
    inputs: ['features'],
    output,
    attributes: [
      { name: 'n_targets', type: 'int', value: 1 },
      { name: 'aggregate_function', type: 'int', value: AGGREGATE_SUM },
      { name: 'post_transform', type: 'int', value: NO_POST_TRANSFORM },
      { name: 'tree_roots', type: 'ints', value: roots },
      { name: 'nodes_featureids', type: 'ints', value: all(({ columns }) => columns) },
      { name: 'nodes_splits', type: 'tensor', value: tensor('float32', thresholds) },
      {
        name: 'nodes_modes',
        type: 'tensor',
        value: tensor(
          'uint8',
          thresholds.map(() => BRANCH_LEQ),
        ),
      },
      ...side('true', ({ left }) => left),
      ...side('false', ({ right }) => right),
      { name: 'leaf_targetids', type: 'ints', value: leaves.map(() => 0) },
      { name: 'leaf_weights', type: 'tensor', value: tensor('float32', leaves) },
    ],
  }
}

/** Of all before each: 0, a, a + b, … */
function runningSums(counts: readonly number[]): number[] {
  let sum = 0
  return counts.map((count) => {
    sum += count
    return sum - count
  })
}
