import type { ModelMetadata } from '@endcap/ranking'
import type { LogisticModel } from '../train/logistic.js'
import type { GraphNode, Initializer } from './onnx-graph.js'
import { encodeRankingModel, LAST_AXIS, type ModelHead } from './ranking-model.js'

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
  return encodeRankingModel({ name: 'endcap-ranking-logistic', heads, metadata: model.metadata })
}

function head(output: 'pctr' | 'pcvr', { model, platt }: LogisticHead, features: number): ModelHead {
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
  apply('Squeeze', LAST_AXIS, named('column'))
  apply('Add', constant('intercept', [], [model.intercept]), named('score'))
  if (platt) {
    apply('Mul', constant('platt_slope', [], [platt.slope]), named('scaled'))
    apply('Add', constant('platt_offset', [], [platt.offset]), named('calibrated'))
  }
  apply('Sigmoid', undefined, output)
  return { nodes, initializers }
}
