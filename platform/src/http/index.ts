export {
  type Access,
  type Caller,
  callerOf,
  type KeyVerifier,
  mayCall,
  merchantAccess,
  publicAccess,
  scopes,
} from './access.js'
export type { App } from './app.js'
export { type BadInputTarget, badInputBattery } from './bad-input-battery.js'
export { createHttpApp, type HttpAppOptions, MAX_URL_LENGTH } from './create-http-app.js'
export { type Cursors, cursorsOf } from './cursor.js'
export { bodyHash, idempotencyKeyOf, idempotencyScopeOf } from './idempotency.js'
export { networkOf, plainAddressOf } from './network-of.js'
export type { OpenApiInfo } from './openapi.js'
export type { Readiness } from './operations-routes.js'
export { PROBLEM_TYPE } from './problems.js'
export type { RateLimit } from './rate-limit.js'
export { compileSerializer, fastSerializerCompiler, zodSerializerCompiler } from './serialization.js'
export { invalid, parseOrThrow, zodValidatorCompiler } from './validation.js'
