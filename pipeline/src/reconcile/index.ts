export { BusyError, besideNobody } from './beside-nobody.js'

export { createReconciliation } from './reconciliation.js'
export { type Verification, verify } from './verify.js'
export {
  isSettled,
  NotSettledError,
  waitUntilSettled,
} from './wait-until-settled.js'
