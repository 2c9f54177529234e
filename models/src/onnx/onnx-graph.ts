import { type MessageWriter, message } from './protobuf.js'

// Field numbers of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3), IR version 8.
const IR_VERSION = 8
const DEFAULT_DOMAIN_OPSET = 17
/** Trees live in a domain of their own, which only files that have some import. */
const ML_DOMAIN = 'ai.onnx.ml'
const ML_DOMAIN_OPSET = 3
const FLOAT = 1
const INT64 = 7
// AttributeProto.AttributeType
const INT_ATTRIBUTE = 2
const STRING_ATTRIBUTE = 3
const FLOATS_ATTRIBUTE = 6
const INTS_ATTRIBUTE = 7
const STRINGS_ATTRIBUTE = 8

/** A constant of the graph. `dims` [] is a scalar. */
export interface Initializer {
  readonly name: string
  readonly type: 'float32' | 'int64'
  readonly dims: readonly number[]
  readonly values: ArrayLike<number>
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
export type GraphAttribute = { readonly name: string } & (
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'ints' | 'floats'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
)

/** A float32 tensor that goes in or comes out; a string is a size known only at run time. */
export interface TensorInfo {
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

/** The bytes of an ONNX file (IR version 8, opset 17 of the default domain, 3 of `ai.onnx.ml`). Equal models give equal bytes. */
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
  for (const item of model.initializers) writer.message(5, tensor(item))
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
    case 'string':
      return writer.text(4, item.value).integer(20, STRING_ATTRIBUTE)
    case 'floats':
      return writer.floats(7, item.value).integer(20, FLOATS_ATTRIBUTE)
    case 'ints':
      return writer.integers(8, item.value).integer(20, INTS_ATTRIBUTE)
    case 'strings':
      for (const value of item.value) writer.text(9, value)
      return writer.integer(20, STRINGS_ATTRIBUTE)
  }
}

function tensor({ name, type, dims, values }: Initializer): MessageWriter {
  const size = dims.reduce((product, dim) => product * dim, 1)
  if (values.length !== size) throw new RangeError(`${name} needs ${size} values, not ${values.length}`)
  const writer = message().integers(1, dims)
  if (type === 'float32') return writer.integer(2, FLOAT).floats(4, values).text(8, name)
  return writer.integer(2, INT64).integers(7, Array.from(values)).text(8, name)
}

function valueInfo({ name, dims }: TensorInfo): MessageWriter {
  const shape = message()
  for (const dim of dims) {
    shape.message(1, typeof dim === 'number' ? message().integer(1, dim) : message().text(2, dim))
  }
  const tensorType = message().integer(1, FLOAT).message(2, shape)
  return message().text(1, name).message(2, message().message(1, tensorType))
}
