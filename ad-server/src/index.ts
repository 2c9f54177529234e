export { Accounts, type CampaignSpend, type Holder } from './budgets/accounts.js'
export { expectedSpend, InFlightSpend } from './budgets/in-flight.js'
export { remainingOf } from './budgets/remaining.js'
export {
  AuctionCaseError,
  type CaseOutcome,
  type CaseResult,
  type CaseSlot,
  runAuctionCase,
} from './cases/run-case.js'
export { type AdServer, type AdServerDeps, createAdServer } from './create-ad-server.js'
export {
  type AuctionResult,
  type AuctionRules,
  type Bidder,
  type Loser,
  type Ranked,
  runAuction,
  type Winner,
} from './domain/auction.js'
export { type BidInputs, effectiveBid } from './domain/bid.js'
export { AdIndex } from './index/ad-index.js'
export { spentOf, tightestOf } from './serve/2-filter/filter.js'
export { DROP_REASONS, type DropReason } from './serve/drop-reasons.js'
export { DEFAULT_RULES, type ServingRules } from './serve/rules.js'
export { DEGRADED, type Degraded } from './serve/serve.js'
export { STEPS, type Step, type Timings } from './serve/timings.js'
