export { type Check, type Verification, type VerifyDeps, type VerifyOptions, verify } from './verify.js'
export { NotSettledError, type SettleDeps, waitUntilSettled } from './wait-until-settled.js'
