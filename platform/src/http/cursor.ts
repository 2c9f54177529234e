import type { z } from 'zod'
import { invalid } from './validation.js'

/** The cursors of one list: opaque places in it, which no other list takes. */
export interface Cursors<S extends z.ZodType> {
  /** The value must survive JSON. */
  encode(place: z.input<S>): string
  /**
   * The place that `encode` was given; undefined without a cursor.
   * @throws EndcapError validation_failed at `?cursor` for text that this list has not given out
   */
  decode(cursor: string | undefined): z.output<S> | undefined
}

/** @param list what tells the list from every other one: a list that a merchant has of its own is named with the merchant */
export const cursorsOf = <S extends z.ZodType>(list: string, place: S): Cursors<S> => ({
  encode: (value) => Buffer.from(JSON.stringify([list, value])).toString('base64url'),
  decode: (cursor) => {
    if (cursor === undefined) return undefined
    const carried = jsonOf(cursor)
    if (Array.isArray(carried) && carried.length === 2 && carried[0] === list) {
      const parsed = place.safeParse(carried[1])
      if (parsed.success) return parsed.data
    }
    throw invalid([{ path: '?cursor', message: 'is not a cursor of this list' }])
  },
})

function jsonOf(cursor: string): unknown {
  const bytes = Buffer.from(cursor, 'base64url')
  if (bytes.toString('base64url') !== cursor) return undefined
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
