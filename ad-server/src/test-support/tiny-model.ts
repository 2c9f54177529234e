import { encodeModelMetadata, FEATURE_COUNT, FEATURE_NAMES, FEATURE_SET, GOLDEN_ROWS } from '@endcap/ranking'

/**
 * The smallest ONNX file that serving accepts: both heads give sigmoid(weights · row + bias). Written here because the trainer's room
 * is not one that serving may import.
 */
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
  const graph = [
    ...['pctr', 'pcvr'].flatMap((head) => [
      field(1, node('MatMul', ['features', 'weights'], `${head}_dot`)),
      field(1, node('Add', [`${head}_dot`, 'bias'], `${head}_score`)),
      field(1, node('Sigmoid', [`${head}_score`], head)),
    ]),
    field(2, text('tiny')),
    field(5, tensor('weights', w)),
    field(5, tensor('bias', Float32Array.of(bias))),
    field(11, tensorInfo('features', ['rows', FEATURE_COUNT])),
    field(12, tensorInfo('pctr', ['rows'])),
    field(12, tensorInfo('pcvr', ['rows'])),
  ]
  return Buffer.concat([
    integer(1, 8),
    field(7, Buffer.concat(graph)),
    field(8, integer(2, 17)),
    ...Object.entries(metadata).map(([key, value]) =>
      field(14, Buffer.concat([field(1, text(key)), field(2, text(value))])),
    ),
  ])
}

// Field numbers are those of onnx.proto3.
const FLOAT32 = 1

const node = (op: string, inputs: readonly string[], output: string): Buffer =>
  Buffer.concat([...inputs.map((input) => field(1, text(input))), field(2, text(output)), field(4, text(op))])

const tensor = (name: string, values: Float32Array): Buffer =>
  Buffer.concat([
    integer(1, values.length),
    integer(2, FLOAT32),
    field(8, text(name)),
    field(9, Buffer.from(values.buffer)),
  ])

function tensorInfo(name: string, dims: readonly (string | number)[]): Buffer {
  const shape = Buffer.concat(
    dims.map((dim) => field(1, typeof dim === 'number' ? integer(1, dim) : field(2, text(dim)))),
  )
  const type = Buffer.concat([integer(1, FLOAT32), field(2, shape)])
  return Buffer.concat([field(1, text(name)), field(2, field(1, type))])
}

const text = (value: string): Buffer => Buffer.from(value, 'utf8')
const integer = (number: number, value: number): Buffer => Buffer.concat([varint(number << 3), varint(value)])
const field = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return Buffer.from([...bytes, rest])
}
