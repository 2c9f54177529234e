import { EndcapError } from '@endcap/contracts'
import type { Caller } from '@endcap/platform/http'
import { z } from 'zod'

export const explainQuery = z.strictObject({
  explain: z.enum(['0', '1'], 'must be 1 to be told why, or 0').optional(),
})
export type ExplainQuery = z.infer<typeof explainQuery>

/**
 * Whether the answer is to be explained. Explanations show bids and prices of every merchant, so they are for operators.
 * @throws EndcapError forbidden
 */
export function wantsExplanation(query: ExplainQuery, caller: Caller): boolean {
  if (query.explain !== '1') return false
  if (!caller.isOperator) throw new EndcapError('forbidden', 'Only operator keys may ask for explanations.')
  return true
}
