import { crc32 } from 'node:zlib'
import type { NewRecord } from '../event-log.js'

/**
 * A record on disk, big endian:
 *   u32 length of the body · u32 crc32 of the body ·
 *   body: u8 flags · u48 offset · u48 time (ms) · u16 key length · u32 headers length · key · headers (JSON) · value
 * Flag 1 means: the value is null. A record knows its offset, so that compaction may leave gaps.
 */
const PREFIX_BYTES = 8
const FIXED_BODY_BYTES = 19
export const MIN_RECORD_BYTES = PREFIX_BYTES + FIXED_BODY_BYTES
/** No body is longer: what claims to be longer is damage, not a record. */
const MAX_BODY_BYTES = 1 << 21
const FLAG_NULL_VALUE = 1

export interface StoredRecord {
  readonly offset: number
  readonly appendedAtMs: number
  readonly key: string
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

/** Writes one record at `position` and gives the position after it. The buffer must have room for `recordBytes`. */
export function encodeRecord(
  target: Buffer,
  position: number,
  record: NewRecord,
  offset: number,
  appendedAtMs: number,
): number {
  const body = position + PREFIX_BYTES
  let at = body + FIXED_BODY_BYTES
  const keyBytes = target.write(record.key, at, 'utf8')
  at += keyBytes
  const headerBytes = hasHeaders(record) ? target.write(JSON.stringify(record.headers), at, 'utf8') : 0
  at += headerBytes
  if (record.value !== null) at += target.write(record.value, at, 'utf8')
  target[body] = record.value === null ? FLAG_NULL_VALUE : 0
  target.writeUIntBE(offset, body + 1, 6)
  target.writeUIntBE(appendedAtMs, body + 7, 6)
  target.writeUInt16BE(keyBytes, body + 13)
  target.writeUInt32BE(headerBytes, body + 15)
  target.writeUInt32BE(at - body, position)
  target.writeUInt32BE(crc32(target.subarray(body, at)), position + 4)
  return at
}

function hasHeaders(record: NewRecord): boolean {
  for (const _ in record.headers) return true
  return false
}

export type Frame =
  | { readonly kind: 'record'; readonly end: number }
  /** The bytes end before the record does. */
  | { readonly kind: 'short'; readonly needs: number }
  | { readonly kind: 'damaged'; readonly reason: string }

/** Looks at the record that starts at `position` of `source[0, end)`, checksum included. */
export function frameAt(source: Buffer, position: number, end: number): Frame {
  if (position + PREFIX_BYTES > end) return { kind: 'short', needs: PREFIX_BYTES }
  const length = source.readUInt32BE(position)
  if (length < FIXED_BODY_BYTES || length > MAX_BODY_BYTES) {
    return { kind: 'damaged', reason: `a record cannot be ${length} bytes long` }
  }
  const body = position + PREFIX_BYTES
  if (body + length > end) return { kind: 'short', needs: PREFIX_BYTES + length }
  if (crc32(source.subarray(body, body + length)) !== source.readUInt32BE(position + 4)) {
    return { kind: 'damaged', reason: 'the checksum does not match' }
  }
  return { kind: 'record', end: body + length }
}

export const offsetAt = (source: Buffer, position: number): number =>
  source.readUIntBE(position + PREFIX_BYTES + 1, 6)
export const timeAt = (source: Buffer, position: number): number =>
  source.readUIntBE(position + PREFIX_BYTES + 7, 6)

/** Reads the record of a frame that `frameAt` found whole. */
export function decodeRecord(source: Buffer, position: number, end: number): StoredRecord {
  const body = position + PREFIX_BYTES
  const keyStart = body + FIXED_BODY_BYTES
  const headersStart = keyStart + source.readUInt16BE(body + 13)
  const headerBytes = source.readUInt32BE(body + 15)
  const valueStart = headersStart + headerBytes
  return {
    offset: offsetAt(source, position),
    appendedAtMs: timeAt(source, position),
    key: source.toString('utf8', keyStart, headersStart),
    headers:
      headerBytes === 0
        ? NO_HEADERS
        : (JSON.parse(source.toString('utf8', headersStart, valueStart)) as Record<string, string>),
    value: (source[body]! & FLAG_NULL_VALUE) !== 0 ? null : source.toString('utf8', valueStart, end),
  }
}
