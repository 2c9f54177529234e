import { ByteReader, ByteWriter } from '@endcap/contracts'

/** Writes one protobuf message, field by field. https://protobuf.dev/programming-guides/encoding/ */
export interface MessageWriter {
  /** A non-negative integer (varint). */
  integer(field: number, value: number): MessageWriter
  text(field: number, value: string): MessageWriter
  message(field: number, value: MessageWriter): MessageWriter
  /** Repeated integers, packed. */
  integers(field: number, values: readonly number[]): MessageWriter
  /** Repeated float32, packed, little-endian. */
  floats(field: number, values: ArrayLike<number>): MessageWriter
  finish(): Uint8Array
}

const VARINT = 0
const FIXED64 = 1
const LENGTH_DELIMITED = 2
const FIXED32 = 5

export function message(): MessageWriter {
  const bytes = new ByteWriter()

  function delimited(field: number, content: Uint8Array): MessageWriter {
    bytes
      .natural(field * 8 + LENGTH_DELIMITED)
      .natural(content.length)
      .raw(content)
    return writer
  }

  const writer: MessageWriter = {
    integer(field, value) {
      bytes.natural(field * 8 + VARINT).natural(whole(value))
      return writer
    },
    text: (field, value) => delimited(field, Buffer.from(value, 'utf8')),
    message: (field, value) => delimited(field, value.finish()),
    integers(field, values) {
      const packed = new ByteWriter()
      for (const value of values) packed.natural(whole(value))
      return delimited(field, packed.written())
    },
    floats(field, values) {
      const content = new Uint8Array(values.length * 4)
      const view = new DataView(content.buffer)
      for (let index = 0; index < values.length; index++) view.setFloat32(index * 4, values[index]!, true)
      return delimited(field, content)
    },
    finish: () => new Uint8Array(bytes.written()),
  }
  return writer
}

function whole(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`a varint must be a whole number, not ${value}`)
  return value
}

export interface Field {
  readonly number: number
  /** Of length-delimited fields. */
  readonly content: Buffer | undefined
}

/**
 * The fields of one protobuf message.
 * @throws RangeError where the message ends too early or has a field of an unknown wire type
 */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  const reader = new ByteReader(Buffer.from(message.buffer, message.byteOffset, message.byteLength))
  while (!reader.isAtEnd) {
    const tag = reader.natural()
    const wireType = tag % 8
    let content: Buffer | undefined
    if (wireType === VARINT) reader.natural()
    else if (wireType === FIXED64) reader.raw(8)
    else if (wireType === FIXED32) reader.raw(4)
    else if (wireType === LENGTH_DELIMITED) content = reader.raw(reader.natural())
    else throw new RangeError(`wire type ${wireType} is unknown`)
    yield { number: Math.floor(tag / 8), content }
  }
}
