import { ID_PREFIXES } from '../ids.js'
import type { ByteReader } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'

// Texts in few bytes, for what travels in addresses. A text is its UTF-8 length times two and its bytes. An id that Endcap made is the
// number of its prefix times two plus one, and its sixteen bytes.

const PREFIXES = Object.values(ID_PREFIXES)
const PREFIX_NUMBERS = new Map<string, number>(PREFIXES.map((prefix, index) => [prefix, index]))
const OWN_ID = /^([a-z]{2,3})_([0-9a-f]{32})$/
const ID_BYTES = 16

export function packText(writer: ByteWriter, value: string): void {
  const id = value.length > ID_BYTES * 2 ? OWN_ID.exec(value) : null
  const prefix = id ? PREFIX_NUMBERS.get(id[1]!) : undefined
  if (prefix !== undefined) {
    writer.natural(prefix * 2 + 1).raw(Buffer.from(id![2]!, 'hex'))
    return
  }
  const bytes = Buffer.byteLength(value)
  writer.natural(bytes * 2).utf8Bytes(value, bytes)
}

/** @throws RangeError where the bytes end too early */
export function unpackText(reader: ByteReader): string {
  const kind = reader.natural()
  if (kind % 2 === 1) return `${PREFIXES[(kind - 1) / 2]}_${reader.raw(ID_BYTES).toString('hex')}`
  return reader.raw(kind / 2).toString('utf8')
}

const scratch = new ByteWriter()

/** The texts, packed, in base64url. */
export function packTexts(values: readonly string[]): string {
  scratch.clear()
  for (const value of values) packText(scratch, value)
  return scratch.written().toString('base64url')
}
