import { encodeModelMetadata, type ModelMetadata } from '@endcap/ranking'
import type { LogisticModel } from '../train/logistic.js'
import { encodeOnnx, type GraphNode, type Initializer } from './onnx-graph.js'

/** Platt scaling of a head's score: sigmoid(slope × score + offset). */
export interface Platt {
  readonly slope: number
  readonly offset: number
}

export interface LogisticHead {
  readonly model: LogisticModel
  readonly platt?: Platt
}

/**
 * One graph of two heads: `features` [N, F] → kept within the trained range → standardised → weights → optional Platt → sigmoid →
 * `pctr` [N], `pcvr` [N], all in float32. Its predictions are those of `predictLogistic` to 1e-5.
 * @throws RangeError when a head's size is not that of the feature names
 */
export function logisticModelToOnnx(model: {
  readonly ctr: LogisticHead
  readonly cvr: LogisticHead
  readonly metadata: ModelMetadata
}): Uint8Array {
  const features = model.metadata.featureNames.length
  const heads = [head('pctr', model.ctr, features), head('pcvr', model.cvr, features)]
  return encodeOnnx({
    name: 'endcap-ranking-logistic',
    inputs: [{ name: 'features', dims: ['rows', features] }],
    outputs: [
      { name: 'pctr', dims: ['rows'] },
      { name: 'pcvr', dims: ['rows'] },
    ],
    nodes: heads.flatMap(({ nodes }) => nodes),
    initializers: [
      ...heads.flatMap(({ initializers }) => initializers),
      { name: 'last_axis', type: 'int64', dims: [1], values: [1] },
    ],
    metadata: encodeModelMetadata(model.metadata),
  })
}

function head(
  output: 'pctr' | 'pcvr',
  { model, platt }: LogisticHead,
  features: number,
): { nodes: GraphNode[]; initializers: Initializer[] } {
  const named = (part: string): string => `${output}_${part}`
  const initializers: Initializer[] = []
  const nodes: GraphNode[] = []
  let last = 'features'
  const constant = (part: string, dims: readonly number[], values: ArrayLike<number>): string => {
    initializers.push({ name: named(part), type: 'float32', dims, values })
    return named(part)
  }
  const apply = (op: string, operand: string | undefined, result: string): void => {
    nodes.push({ op, inputs: operand === undefined ? [last] : [last, operand], output: result })
    last = result
  }
  apply('Max', constant('least', [features], model.least), named('floored'))
  apply('Min', constant('largest', [features], model.largest), named('clipped'))
  apply('Sub', constant('means', [features], model.means), named('centred'))
  apply('Div', constant('scales', [features], model.scales), named('standardised'))
  apply('MatMul', constant('weights', [features, 1], model.weights), named('product'))
  apply('Squeeze', 'last_axis', named('column'))
  apply('Add', constant('intercept', [], [model.intercept]), named('score'))
  if (platt) {
    apply('Mul', constant('platt_slope', [], [platt.slope]), named('scaled'))
    apply('Add', constant('platt_offset', [], [platt.offset]), named('calibrated'))
  }
  apply('Sigmoid', undefined, output)
  return { nodes, initializers }
}
