export { BusyError, besideNobody } from './beside-nobody.js'
export type { Check } from './check.js'
export { createReconciliation, type ReconciliationDeps } from './reconciliation.js'
export { CHECKS, type Verification, type VerifyDeps, type VerifyOptions, verify } from './verify.js'
export {
  isSettled,
  NotSettledError,
  type SettleDeps,
  type SettleOptions,
  waitUntilSettled,
} from './wait-until-settled.js'
