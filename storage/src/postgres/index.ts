export * from './api-keys.js'
export * from './consumer-offsets.js'
export * from './idempotency.js'
export * from './ledger.js'
export * from './merchants.js'
export { migratePostgres } from './migrate.js'
export * from './model-registry.js'
export * from './move-money.js'
export {
  appendChanges,
  appendEventsToOutbox,
  appendToOutbox,
  type EntityChange,
  outboxKeys,
} from './outbox.js'
export { createOutboxRelay } from './outbox-relay.js'
export * from './rules.js'
export * from './snapshots.js'
