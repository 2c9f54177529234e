import { z } from 'zod'
import { microsString } from './scalars.js'

/**
 * What billing tells the ad-servers through the state store: hashes of campaign id → remaining limits and
 * merchant id → wallet balance. A view only: billing alone decides what is charged.
 */
export const BUDGET_VIEW_KEY = 'endcap:budgets:v1'
export const WALLET_VIEW_KEY = 'endcap:wallets:v1'
/** Milliseconds since the epoch of the last whole publication, so that a reader can tell an empty view from a lost one. */
export const BUDGET_VIEW_PUBLISHED_KEY = 'endcap:budgets:published:v1'

export const campaignBudgetView = z.object({
  /** The budget day that `spentDay` belongs to: on another day nothing is spent yet. */
  day: z.string(),
  spentDay: microsString,
  /** What was spent in the week and the month of `day`. */
  spentWeek: microsString.default('0'),
  spentMonth: microsString.default('0'),
  spentTotal: microsString,
})
export type CampaignBudgetView = z.infer<typeof campaignBudgetView>
