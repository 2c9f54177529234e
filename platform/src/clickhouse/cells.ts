import { z } from 'zod'

/** What a row's cell may be on its way in: 64-bit integers travel as decimal strings, so no precision is lost in JSON. */
export type Cell = string | number | boolean | null | readonly Cell[] | { readonly [key: string]: Cell }

/** Int64 and UInt64 on the way out: quoted in JSON, exact in `bigint`. */
export const int64Cell = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt)

/** A UInt64 count as a number. Fails, rather than rounds, beyond 2^53. */
export const countCell = z
  .union([z.string().regex(/^\d+$/), z.int()])
  .transform(Number)
  .refine(Number.isSafeInteger, 'the count is beyond 2^53')

/** A DateTime or DateTime64 on the way out, as milliseconds since the epoch. */
export const instantMsCell = z.iso.datetime().transform((text) => Date.parse(text))
/** The same as RFC 3339 text. */
export const instantCell = z.iso.datetime()
/** A Date on the way out: 'YYYY-MM-DD'. */
export const dateCell = z.iso.date()

/** Milliseconds since the epoch as a parameter of type `DateTime64(3, 'UTC')`. */
export const instantMsParam = z.int().transform(toDateTime64)

/** Milliseconds since the epoch as ClickHouse reads a DateTime64(3): 'YYYY-MM-DD hh:mm:ss.mmm', UTC. */
export function toDateTime64(instantMs: number): string {
  const text = new Date(instantMs).toISOString()
  return `${text.slice(0, 10)} ${text.slice(11, 23)}`
}

/** What DateTime64(3) and the DateTime of its hour both hold (DateTime ends in 2106). */
const MIN_INSTANT_MS = Date.UTC(1970, 0, 1)
export const MAX_INSTANT_MS = Date.UTC(2100, 0, 1)

/** A value that its column cannot hold. The row must not be sent: it would fail every row beside it. */
export class CellError extends Error {
  override readonly name = 'CellError'
}

/** RFC 3339 text for a DateTime64(3) column. @throws CellError */
export function instantForCell(text: string): string {
  const instantMs = Date.parse(text)
  if (!(instantMs >= MIN_INSTANT_MS && instantMs < MAX_INSTANT_MS))
    throw new CellError(`"${text.slice(0, 40)}" is not an instant of 1970-2099`)
  return toDateTime64(instantMs)
}

/** @throws CellError */
export const uint16ForCell = (value: number): number => unsignedForCell(value, 0xffff)
/** @throws CellError */
export const uint32ForCell = (value: number): number => unsignedForCell(value, 0xffff_ffff)

function unsignedForCell(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new CellError(`${value} is not an integer from 0 to ${max}`)
  return value
}

const MAX_INT64 = 2n ** 63n - 1n

/** Decimal text of an integer for an Int64 column. @throws CellError */
export function int64ForCell(value: string | bigint): string {
  const integer = BigInt(value)
  if (integer > MAX_INT64 || integer < -MAX_INT64 - 1n) throw new CellError(`${value} does not fit 64 bits`)
  return String(integer)
}

/** A float for a Float32 or Float64 column; JSON has no NaN or infinity, ClickHouse reads them as words. */
export function floatForCell(value: number): number | string {
  if (Number.isFinite(value)) return value
  if (Number.isNaN(value)) return 'nan'
  return value > 0 ? 'inf' : '-inf'
}
