import type { AuctionRules } from '../domain/auction.js'

/** The house rules of every auction of a process. */
export type ServingRules = AuctionRules

export const DEFAULT_RULES: ServingRules = {
  reserveMicros: 10_000n,
  reserveCpmMicros: 100_000n,
  squashing: 1,
  maxPerMerchant: 2,
}
