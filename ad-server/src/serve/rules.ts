/** The house rules of every request of a process. What slots are sold by are the operator's rules, in the index. */
export interface ServingRules {
  /** Ads less relevant to the query than this are not shown, 0…1. */
  readonly relevanceFloor: number
}

export const DEFAULT_RULES: ServingRules = { relevanceFloor: 0 }
