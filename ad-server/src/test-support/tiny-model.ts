import { encodeModelMetadata, FEATURE_COUNT, FEATURE_NAMES, FEATURE_SET, GOLDEN_ROWS } from '@endcap/ranking'
import { encodeOnnx } from '@endcap/ranking/onnx'

const HEADS = ['pctr', 'pcvr']

/** The smallest ONNX file that serving accepts: both heads give sigmoid(weights · row + bias). */
export function tinyModel(
  version: string,
  bias: number,
  weights: Readonly<Record<string, number>> = {},
): Uint8Array {
  const w = Float32Array.from(FEATURE_NAMES, (name) => weights[name] ?? 0)
  const golden = new Float32Array(GOLDEN_ROWS * FEATURE_COUNT)
  const predicted = new Float32Array(GOLDEN_ROWS).fill(1 / (1 + Math.exp(-Math.fround(bias))))
  const metadata = encodeModelMetadata({
    version,
    featureSet: FEATURE_SET,
    featureNames: FEATURE_NAMES,
    priorCtr: 0.02,
    priorCvr: 0.02,
    trainedFrom: '2026-01-01T00:00:00.000Z',
    trainedTo: '2026-01-02T00:00:00.000Z',
    createdAt: '2026-01-03T00:00:00.000Z',
    golden: { features: golden, pctr: predicted, pcvr: predicted },
  })
  return encodeOnnx({
    name: 'tiny',
    inputs: [{ name: 'features', dims: ['rows', FEATURE_COUNT] }],
    outputs: HEADS.map((name) => ({ name, dims: ['rows'] })),
    nodes: HEADS.flatMap((head) => [
      { op: 'MatMul', inputs: ['features', 'weights'], output: `${head}_dot` },
      { op: 'Add', inputs: [`${head}_dot`, 'bias'], output: `${head}_score` },
      { op: 'Sigmoid', inputs: [`${head}_score`], output: head },
    ]),
    initializers: [
      { name: 'weights', type: 'float32', dims: [FEATURE_COUNT], values: w },
      { name: 'bias', type: 'float32', dims: [1], values: [bias] },
    ],
    metadata,
  })
}
