import { z } from 'zod'

/** What an API key may do. `merchant:<id>` reads and writes that merchant's own objects; `operator` may do everything. */
const SCOPE_NAMES = ['serve', 'events', 'reports', 'orders', 'operator'] as const
export type Scope = (typeof SCOPE_NAMES)[number] | `merchant:${string}`

export const scope = z
  .string()
  .refine(
    (text): text is Scope =>
      (SCOPE_NAMES as readonly string[]).includes(text) || /^merchant:.{1,128}$/.test(text),
    `must be one of ${SCOPE_NAMES.join(', ')}, merchant:<id>`,
  )
