/**
 * Arrays as parameters in Postgres' own binary format. Meant for statements of thousands of rows (`unnest($1::text[], …)`): as text, each
 * value would be quoted here and parsed again there, which costs more than the rows themselves. The statement must cast the parameter to
 * the array's type, because binary values are not converted.
 */
type Parameter = Buffer

const HEADER_BYTES = 20
const LENGTH_BYTES = 4
const NULL_LENGTH = -1
const OIDS = { int4: 23, int8: 20, text: 25, date: 1082, timestamptz: 1184 } as const
/** Postgres counts time from the beginning of 2000. */
const EPOCH_MS = Date.UTC(2000, 0, 1)
const DAY_MS = 86_400_000

/** `$n::text[]`. A text must not hold the character NUL, as everywhere in Postgres. */
export function textArray(values: readonly (string | null)[]): Parameter {
  let bytes = HEADER_BYTES + values.length * LENGTH_BYTES
  // At most three bytes a UTF-16 unit; ids are ASCII and short, so that the room is hardly ever too large to matter.
  for (const value of values) if (value !== null) bytes += value.length * 3
  const array = start(OIDS.text, values.length, bytes, values.includes(null))
  let at = HEADER_BYTES
  for (const value of values) {
    if (value === null) {
      at = array.writeInt32BE(NULL_LENGTH, at)
      continue
    }
    const length = array.write(value, at + LENGTH_BYTES, 'utf8')
    array.writeInt32BE(length, at)
    at += LENGTH_BYTES + length
  }
  return array.subarray(0, at)
}

/** `$n::bigint[]`. */
export const bigintArray = (values: readonly bigint[]): Parameter =>
  fixed(OIDS.int8, 8, values, (array, value, at) => array.writeBigInt64BE(value, at))

/** `$n::int[]`. */
export const intArray = (values: readonly number[]): Parameter =>
  fixed(OIDS.int4, 4, values, (array, value, at) => array.writeInt32BE(value, at))

/** `$n::timestamptz[]`, from milliseconds since the epoch. */
export const timestampArray = (instantsMs: readonly number[]): Parameter =>
  fixed(OIDS.timestamptz, 8, instantsMs, (array, instantMs, at) =>
    array.writeBigInt64BE(BigInt(instantMs - EPOCH_MS) * 1000n, at),
  )

/** `$n::date[]`, from 'YYYY-MM-DD'. */
export const dateArray = (days: readonly string[]): Parameter =>
  fixed(OIDS.date, 4, days, (array, day, at) =>
    array.writeInt32BE((Date.parse(`${day}T00:00:00Z`) - EPOCH_MS) / DAY_MS, at),
  )

function fixed<T>(
  oid: number,
  width: number,
  values: readonly T[],
  write: (array: Buffer, value: T, at: number) => void,
): Parameter {
  const array = start(oid, values.length, HEADER_BYTES + values.length * (LENGTH_BYTES + width), false)
  let at = HEADER_BYTES
  for (const value of values) {
    at = array.writeInt32BE(width, at)
    write(array, value, at)
    at += width
  }
  return array
}

/** One dimension that begins at 1; an empty array has one of length 0. */
function start(oid: number, length: number, bytes: number, hasNulls: boolean): Buffer {
  const array = Buffer.allocUnsafe(bytes)
  array.writeInt32BE(1, 0)
  array.writeInt32BE(hasNulls ? 1 : 0, 4)
  array.writeInt32BE(oid, 8)
  array.writeInt32BE(length, 12)
  array.writeInt32BE(1, 16)
  return array
}
