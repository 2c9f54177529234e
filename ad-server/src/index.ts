export { Accounts, type CampaignSpend, type Holder } from './budgets/accounts.js'
export { expectedSpend, InFlightSpend } from './budgets/in-flight.js'
export { remainingOf } from './budgets/remaining.js'
export {
  AuctionCaseError,
  runAuctionCase,
} from './cases/run-case.js'
export { type AdServer, createAdServer } from './create-ad-server.js'
export { AdIndex } from './index/ad-index.js'
export { readChange } from './index/index-feed.js'
export { retrieve } from './serve/1-retrieve/retrieve.js'
export { filter, spentOf, tightestOf } from './serve/2-filter/filter.js'
export { createZoneClock } from './serve/2-filter/zone-clock.js'
export { sellSlots } from './serve/4-auction/sell-slots.js'
export { createQueryReader } from './serve/ad-request.js'
export { DROP_REASONS, DropLedger } from './serve/drop-reasons.js'
export { NOTHING_CAPPED } from './serve/frequency-caps.js'

export { STEPS, type Timings } from './serve/timings.js'
