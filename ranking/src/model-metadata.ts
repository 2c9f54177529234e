import { fieldsOf } from './onnx/protobuf.js'

/** Rows with the trainer's own predictions, carried inside the model and predicted again wherever it is loaded. */
interface GoldenRows {
  /** GOLDEN_ROWS × features, row-major. */
  readonly features: Float32Array
  readonly pctr: Float32Array
  readonly pcvr: Float32Array
}

/** What a model says about itself, in the `metadata_props` of its ONNX file. */
export interface ModelMetadata {
  readonly version: string
  readonly featureSet: string
  readonly featureNames: readonly string[]
  /** Click rate and order rate of the rows it was trained on. */
  readonly priorCtr: number
  readonly priorCvr: number
  /** RFC 3339; first and last row of the training slices. */
  readonly trainedFrom: string
  readonly trainedTo: string
  readonly createdAt: string
  readonly golden: GoldenRows
}

export const GOLDEN_ROWS = 64

/** The bytes are not a model of ours, or lack what a model must carry. */
export class ModelFormatError extends Error {
  override readonly name = 'ModelFormatError'
}

/** The metadata as ONNX `metadata_props`. */
export const encodeModelMetadata = (metadata: ModelMetadata): Readonly<Record<string, string>> => ({
  'endcap.version': metadata.version,
  'endcap.feature_set': metadata.featureSet,
  'endcap.feature_names': metadata.featureNames.join(','),
  'endcap.prior_ctr': String(metadata.priorCtr),
  'endcap.prior_cvr': String(metadata.priorCvr),
  'endcap.trained_from': metadata.trainedFrom,
  'endcap.trained_to': metadata.trainedTo,
  'endcap.created_at': metadata.createdAt,
  'endcap.golden.features': encodeFloats(metadata.golden.features),
  'endcap.golden.pctr': encodeFloats(metadata.golden.pctr),
  'endcap.golden.pcvr': encodeFloats(metadata.golden.pcvr),
})

/**
 * Reads the metadata of an ONNX file.
 * @throws ModelFormatError when the bytes are not ONNX, or a part is missing or of the wrong size
 */
export function readModelMetadata(onnx: Uint8Array): ModelMetadata {
  const properties = propertiesOf(onnx)
  const text = (key: string): string => {
    const value = properties.get(key)
    if (value === undefined) throw new ModelFormatError(`the model has no "${key}" in its metadata`)
    return value
  }
  const rate = (key: string): number => {
    const value = Number(text(key))
    if (!(value >= 0 && value <= 1)) throw new ModelFormatError(`"${key}" of the model is not a rate`)
    return value
  }
  const featureNames = text('endcap.feature_names').split(',')
  const floats = (key: string, length: number): Float32Array => {
    const values = decodeFloats(text(key))
    if (values.length !== length) {
      throw new ModelFormatError(`"${key}" of the model holds ${values.length} values instead of ${length}`)
    }
    return values
  }
  return {
    version: text('endcap.version'),
    featureSet: text('endcap.feature_set'),
    featureNames,
    priorCtr: rate('endcap.prior_ctr'),
    priorCvr: rate('endcap.prior_cvr'),
    trainedFrom: text('endcap.trained_from'),
    trainedTo: text('endcap.trained_to'),
    createdAt: text('endcap.created_at'),
    golden: {
      features: floats('endcap.golden.features', GOLDEN_ROWS * featureNames.length),
      pctr: floats('endcap.golden.pctr', GOLDEN_ROWS),
      pcvr: floats('endcap.golden.pcvr', GOLDEN_ROWS),
    },
  }
}

/** Base64 of little-endian float32, as auction events carry features. */
export function encodeFloats(values: Float32Array): string {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return (LITTLE_ENDIAN ? bytes : Buffer.from(bytes).swap32()).toString('base64')
}

/** Reads `encodeFloats`; bytes beyond the last whole float are ignored. */
function decodeFloats(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64')
  const whole = new Uint8Array(bytes.length - (bytes.length % 4))
  whole.set(bytes.subarray(0, whole.length))
  if (!LITTLE_ENDIAN) Buffer.from(whole.buffer).swap32()
  return new Float32Array(whole.buffer)
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

const METADATA_PROPS = 14
const KEY = 1
const VALUE = 2

function propertiesOf(onnx: Uint8Array): ReadonlyMap<string, string> {
  try {
    return readMetadataProperties(onnx)
  } catch (error) {
    if (error instanceof RangeError)
      throw new ModelFormatError(`the model file is not ONNX: ${error.message}`)
    throw error
  }
}

/** onnxruntime does not hand out metadata_props, so they are read from the file: field 14 of ModelProto, a key and a value each. */
function readMetadataProperties(onnx: Uint8Array): ReadonlyMap<string, string> {
  const properties = new Map<string, string>()
  for (const { number, content } of fieldsOf(onnx)) {
    if (number !== METADATA_PROPS || !content) continue
    let key = ''
    let value = ''
    for (const part of fieldsOf(content)) {
      if (part.number === KEY && part.content) key = part.content.toString('utf8')
      if (part.number === VALUE && part.content) value = part.content.toString('utf8')
    }
    properties.set(key, value)
  }
  return properties
}
