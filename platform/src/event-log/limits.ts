import { RecordTooLargeError } from './errors.js'
import type { NewRecord } from './event-log.js'

/** Largest record (key, headers and value in UTF-8) of either adapter; Kafka's default is 1 MiB for a whole batch. */
export const MAX_RECORD_BYTES = 900_000
const MAX_KEY_BYTES = 65_535
/** Offset metadata is a note, not a store. */
const MAX_METADATA_BYTES = 1024

/** Room for the framing of one record in either adapter: a bound, and what many tiny records cost. */
const FRAME_BYTES = 32

/**
 * Bytes that a record takes at most, framing included.
 * @throws RecordTooLargeError beyond 900 kB (key: 64 kB)
 */
export function recordBytes(record: NewRecord): number {
  const keyBytes = Buffer.byteLength(record.key)
  let bytes = keyBytes + (record.value === null ? 0 : Buffer.byteLength(record.value))
  for (const name in record.headers)
    bytes += Buffer.byteLength(name) + Buffer.byteLength(record.headers[name]!) + 8
  if (bytes > MAX_RECORD_BYTES || keyBytes > MAX_KEY_BYTES) {
    throw new RecordTooLargeError(
      `a record of ${bytes} bytes is more than the ${MAX_RECORD_BYTES} that the log takes`,
    )
  }
  return bytes + FRAME_BYTES
}

/** @throws RangeError when the note is longer than 1 kB */
export function assertMetadata(metadata: string): void {
  const bytes = Buffer.byteLength(metadata)
  if (bytes > MAX_METADATA_BYTES) throw new RangeError(`offset metadata of ${bytes} bytes is more than 1 kB`)
}
