export {
  type Caller,
  callerOf,
  type KeyVerifier,
  merchantAccess,
  publicAccess,
  scopes,
} from './access.js'
export type { App } from './app.js'
export { badInputBattery } from './bad-input-battery.js'
export { createHttpApp, type HttpAppOptions } from './create-http-app.js'
export { cursorsOf } from './cursor.js'
export { bodyHash, idempotencyKeyOf, idempotencyScopeOf } from './idempotency.js'
export { networkOf, plainAddressOf } from './network-of.js'

export { fastSerializerCompiler } from './serialization.js'
export { invalid, parseOrThrow, zodValidatorCompiler } from './validation.js'
