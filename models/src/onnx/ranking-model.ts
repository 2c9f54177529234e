import { encodeModelMetadata, type ModelMetadata } from '@endcap/ranking'
import { encodeOnnx } from '@endcap/ranking/onnx'
import type { BoostedModel } from '../train/boosted-model.js'
import { boostedHead, LAST_AXIS } from './boosted-head.js'

/** A model as serving loads it: `features` [N, F] → `pctr` [N], `pcvr` [N], all in float32. Equal models give equal bytes. */
export function encodeRankingModel({
  ctr,
  cvr,
  metadata,
}: {
  readonly ctr: BoostedModel
  readonly cvr: BoostedModel
  readonly metadata: ModelMetadata
}): Uint8Array {
  const heads = [boostedHead('pctr', ctr), boostedHead('pcvr', cvr)]
  return encodeOnnx({
    name: 'endcap-ranking',
    inputs: [{ name: 'features', dims: ['rows', metadata.featureNames.length] }],
    outputs: [
      { name: 'pctr', dims: ['rows'] },
      { name: 'pcvr', dims: ['rows'] },
    ],
    nodes: heads.flatMap(({ nodes }) => nodes),
    initializers: [...heads.flatMap(({ initializers }) => initializers), LAST_AXIS],
    metadata: encodeModelMetadata(metadata),
  })
}
