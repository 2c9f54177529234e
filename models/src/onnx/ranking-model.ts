import { encodeModelMetadata, type ModelMetadata } from '@endcap/ranking'
import { encodeOnnx, type OnnxModel } from './onnx-graph.js'

/** What makes one output of a ranking model from its `features`: nodes that end in `pctr` or `pcvr` [N]. */
export type ModelHead = Pick<OnnxModel, 'nodes' | 'initializers'>

/** For `Squeeze`: makes [N] of [N, 1]. Every ranking model has it. */
export const LAST_AXIS = 'last_axis'

/** A model as serving loads it: `features` [N, F] → `pctr` [N], `pcvr` [N], all in float32. */
export const encodeRankingModel = (model: {
  readonly name: string
  readonly heads: readonly ModelHead[]
  readonly metadata: ModelMetadata
}): Uint8Array =>
  encodeOnnx({
    name: model.name,
    inputs: [{ name: 'features', dims: ['rows', model.metadata.featureNames.length] }],
    outputs: [
      { name: 'pctr', dims: ['rows'] },
      { name: 'pcvr', dims: ['rows'] },
    ],
    nodes: model.heads.flatMap(({ nodes }) => nodes),
    initializers: [
      ...model.heads.flatMap(({ initializers }) => initializers),
      { name: LAST_AXIS, type: 'int64', dims: [1], values: [1] },
    ],
    metadata: encodeModelMetadata(model.metadata),
  })
