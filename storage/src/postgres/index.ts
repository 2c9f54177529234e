export * from './api-keys.js'
export * from './consumer-offsets.js'
export * from './idempotency.js'
export * from './ledger.js'
export * from './merchants.js'
export { MigrationError, migratePostgres } from './migrate.js'
export * from './model-registry.js'
export * from './move-money.js'
export {
  appendChanges,
  appendEventsToOutbox,
  appendToOutbox,
  type EntityChange,
  type OutboxEntry,
  type OutboxEvent,
  outboxKeys,
} from './outbox.js'
export { createOutboxRelay, type OutboxRelayOptions } from './outbox-relay.js'
export * from './rules.js'
export * from './snapshots.js'
