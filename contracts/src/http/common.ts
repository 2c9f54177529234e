import { z } from 'zod'

/** A whole number as a query carries it: decimal digits, not all that JavaScript reads as a number (`1e2`, `0x10`, ` 5`). */
const digits = (text: unknown): unknown =>
  typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : text

const LIMIT_WANTED = 'must be a whole number from 1 to 200, in decimal digits'

export const listQuery = z.strictObject({
  limit: z.preprocess(
    digits,
    z.number(LIMIT_WANTED).int().min(1, LIMIT_WANTED).max(200, LIMIT_WANTED).default(50),
  ),
  /** As long as one that holds the longest id a caller can give. */
  cursor: z.string().min(1).max(1024).optional(),
})
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  requestId: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })),
})

/** An item that its handler checks against `schema` by itself: here it may be anything, and the documentation shows the schema. */
export function itemOf(schema: z.ZodType): z.ZodUnknown {
  const { $schema: _, ...described } = z.toJSONSchema(schema, { io: 'input' })
  return z.unknown().meta(described)
}
