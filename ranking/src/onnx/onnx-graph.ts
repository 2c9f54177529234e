import { type MessageWriter, message } from './protobuf.js'

// Field numbers of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3), IR version 8.
const IR_VERSION = 8
const DEFAULT_DOMAIN_OPSET = 17
/** Trees live in a domain of their own, which only files that have some import. */
const ML_DOMAIN = 'ai.onnx.ml'
const ML_DOMAIN_OPSET = 5
// TensorProto.DataType
const FLOAT = 1
const UINT8 = 2
const INT64 = 7
// AttributeProto.AttributeType
const INT_ATTRIBUTE = 2
const TENSOR_ATTRIBUTE = 4
const INTS_ATTRIBUTE = 7

/** `dims` [] is a scalar. Integers are not negative. */
export interface ConstantTensor {
  readonly type: 'float32' | 'uint8' | 'int64'
  readonly dims: readonly number[]
  readonly values: ArrayLike<number>
}

/** A constant of the graph. */
export interface Initializer extends ConstantTensor {
  readonly name: string
}

export interface GraphNode {
  readonly op: string
  /** Default: ONNX's own. */
  readonly domain?: typeof ML_DOMAIN
  readonly inputs: readonly string[]
  readonly output: string
  readonly attributes?: readonly GraphAttribute[]
}

/** A setting of an operator. Integers are not negative. */
type GraphAttribute = { readonly name: string } & (
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'tensor'; readonly value: ConstantTensor }
)

/** A float32 tensor that goes in or comes out; a string is a size known only at run time. */
interface TensorInfo {
  readonly name: string
  readonly dims: readonly (number | string)[]
}

export interface OnnxModel {
  readonly name: string
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  readonly nodes: readonly GraphNode[]
  readonly initializers: readonly Initializer[]
  readonly metadata: Readonly<Record<string, string>>
}

/** The bytes of an ONNX file (IR version 8, opset 17 of the default domain, 5 of `ai.onnx.ml`). Equal models give equal bytes. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  const file = message().integer(1, IR_VERSION).text(2, 'endcap').message(7, graph(model))
  file.message(8, message().text(1, '').integer(2, DEFAULT_DOMAIN_OPSET))
  if (model.nodes.some(({ domain }) => domain === ML_DOMAIN))
    file.message(8, message().text(1, ML_DOMAIN).integer(2, ML_DOMAIN_OPSET))
  for (const [key, value] of Object.entries(model.metadata))
    file.message(14, message().text(1, key).text(2, value))
  return file.finish()
}

function graph(model: OnnxModel): MessageWriter {
  const writer = message()
  for (const item of model.nodes) writer.message(1, node(item))
  writer.text(2, model.name)
  for (const item of model.initializers) writer.message(5, tensor(item.name, item))
  for (const item of model.inputs) writer.message(11, valueInfo(item))
  for (const item of model.outputs) writer.message(12, valueInfo(item))
  return writer
}

function node({ op, domain, inputs, output, attributes = [] }: GraphNode): MessageWriter {
  const writer = message()
  for (const input of inputs) writer.text(1, input)
  writer.text(2, output).text(3, output).text(4, op)
  for (const item of attributes) writer.message(5, attribute(item))
  return domain ? writer.text(7, domain) : writer
}

function attribute(item: GraphAttribute): MessageWriter {
  const writer = message().text(1, item.name)
  switch (item.type) {
    case 'int':
      return writer.integer(3, item.value).integer(20, INT_ATTRIBUTE)
    case 'ints':
      return writer.integers(8, item.value).integer(20, INTS_ATTRIBUTE)
    case 'tensor':
      return writer.message(5, tensor(item.name, item.value)).integer(20, TENSOR_ATTRIBUTE)
  }
}

function tensor(name: string, { type, dims, values }: ConstantTensor): MessageWriter {
  const size = dims.reduce((product, dim) => product * dim, 1)
  if (values.length !== size) throw new RangeError(`${name} needs ${size} values, not ${values.length}`)
  const writer = message().integers(1, dims)
  switch (type) {
    case 'float32':
      return writer.integer(2, FLOAT).floats(4, values).text(8, name)
    case 'uint8':
      return writer.integer(2, UINT8).integers(5, Array.from(values)).text(8, name)
    case 'int64':
      return writer.integer(2, INT64).integers(7, Array.from(values)).text(8, name)
  }
}

function valueInfo({ name, dims }: TensorInfo): MessageWriter {
  const shape = message()
  for (const dim of dims) {
    shape.message(1, typeof dim === 'number' ? message().integer(1, dim) : message().text(2, dim))
  }
  const tensorType = message().integer(1, FLOAT).message(2, shape)
  return message().text(1, name).message(2, message().message(1, tensorType))
}
