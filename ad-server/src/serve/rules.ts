import type { AuctionRules } from '../domain/auction.js'

/** The house rules of every auction of a process. */
export interface ServingRules extends AuctionRules {
  /** Ads less relevant to the query than this are not shown, 0…1. */
  readonly relevanceFloor: number
}

export const DEFAULT_RULES: ServingRules = {
  reserveMicros: 10_000n,
  reserveCpmMicros: 100_000n,
  squashing: 1,
  maxPerMerchant: 2,
  relevanceFloor: 0,
}
