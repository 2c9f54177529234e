import { z } from 'zod'
import { callerId, category, money, placementName, text, wording } from '../scalars.js'
import { frequencyCap } from './campaigns.js'

const MAX_RESERVES = 1000
const MAX_BLOCKED = 10_000

const reserveRule = z.strictObject({
  name: text(100),
  placement: placementName.nullish(),
  category: category.nullish(),
  reserve: money,
  reserveCpm: money,
})

/** The whole of the operator's rules: what a body leaves out falls back to its default, not to what was there before. */
export const putRulesBody = z.strictObject({
  reserves: z
    .array(reserveRule)
    .max(MAX_RESERVES)
    .superRefine((rules, context) => {
      refuseRepeats(rules, ({ name }) => name, 'name', 'is the name of another rule', context)
      refuseRepeats(
        rules,
        ({ placement, category }) => JSON.stringify([placement ?? null, category ?? null]),
        undefined,
        'is for the same placement and category as another rule',
        context,
      )
    })
    .default([]),
  reserve: money.optional(),
  reserveCpm: money.optional(),
  squashing: z.number().min(0).max(1).optional(),
  maxPerMerchant: z.int().min(1).max(100).optional(),
  relevanceFloor: z.number().min(0).max(1).optional(),
  merchantFrequencyCap: frequencyCap.nullish(),
  blocked: z
    .strictObject({
      merchants: z.array(callerId).max(MAX_BLOCKED).default([]),
      categories: z.array(category).max(MAX_BLOCKED).default([]),
      terms: z.array(wording(200)).max(MAX_BLOCKED).default([]),
    })
    .prefault({}),
  /** The version that the change is based on; when another one holds by now, the answer is 409. Absent: replaces whatever is there. */
  version: z.int().min(0).optional(),
})
export type PutRulesBody = z.infer<typeof putRulesBody>

function refuseRepeats<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  field: string | undefined,
  message: string,
  context: z.core.$RefinementCtx,
): void {
  const seen = new Set<string>()
  items.forEach((item, index) => {
    const key = keyOf(item)
    if (seen.has(key)) context.addIssue({ code: 'custom', path: field ? [index, field] : [index], message })
    seen.add(key)
  })
}

export const rules = z.object({
  reserves: z.array(
    z.object({
      name: z.string(),
      placement: z.string().nullable(),
      category: z.string().nullable(),
      reserve: z.string(),
      reserveCpm: z.string(),
    }),
  ),
  reserve: z.string(),
  reserveCpm: z.string(),
  squashing: z.number(),
  maxPerMerchant: z.int(),
  relevanceFloor: z.number(),
  merchantFrequencyCap: z
    .object({ hour: z.int().optional(), day: z.int().optional(), week: z.int().optional() })
    .nullable(),
  blocked: z.object({
    merchants: z.array(z.string()),
    categories: z.array(z.string()),
    terms: z.array(z.string()),
  }),
  /** 0 until an operator lays something down; rises by one with every change. */
  version: z.int(),
})
export type Rules = z.infer<typeof rules>
