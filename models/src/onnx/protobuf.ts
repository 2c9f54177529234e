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
const LENGTH_DELIMITED = 2

export function message(): MessageWriter {
  const parts: Uint8Array[] = []

  function delimited(field: number, content: Uint8Array): MessageWriter {
    parts.push(varint(field * 8 + LENGTH_DELIMITED), varint(content.length), content)
    return writer
  }

  const writer: MessageWriter = {
    integer(field, value) {
      parts.push(varint(field * 8 + VARINT), varint(value))
      return writer
    },
    text: (field, value) => delimited(field, Buffer.from(value, 'utf8')),
    message: (field, value) => delimited(field, value.finish()),
    integers: (field, values) => delimited(field, Buffer.concat(values.map(varint))),
    floats(field, values) {
      const content = new Uint8Array(values.length * 4)
      const view = new DataView(content.buffer)
      for (let index = 0; index < values.length; index++) view.setFloat32(index * 4, values[index]!, true)
      return delimited(field, content)
    },
    finish: () => new Uint8Array(Buffer.concat(parts)),
  }
  return writer
}

function varint(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`a varint must be a whole number, not ${value}`)
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
