import type { z } from 'zod'
import { invalid } from './validation.js'

/** An opaque place in a list. The value must survive JSON. */
export const encodeCursor = (place: unknown): string =>
  Buffer.from(JSON.stringify(place)).toString('base64url')

/**
 * The place that `encodeCursor` was given; undefined without a cursor.
 * @throws EndcapError validation_failed at `?cursor` for text that no list has given out
 */
export function decodeCursor<S extends z.ZodType>(
  cursor: string | undefined,
  schema: S,
): z.output<S> | undefined {
  if (cursor === undefined) return undefined
  const parsed = schema.safeParse(jsonOf(cursor))
  if (parsed.success) return parsed.data
  throw invalid([{ path: '?cursor', message: 'is not a cursor of this list' }])
}

function jsonOf(cursor: string): unknown {
  const bytes = Buffer.from(cursor, 'base64url')
  if (bytes.toString('base64url') !== cursor) return undefined
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
