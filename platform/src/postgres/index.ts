export * from './binary-arrays.js'
export {
  connectPostgres,
  type PostgresOptions,
  PostgresUnavailableError,
  sqlState,
  violatedConstraint,
} from './connect.js'
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded.js'
export { MigrationError, migratePostgres } from './migrate.js'
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
export type { Postgres, Queryable, QueryResult, Transaction } from './postgres.js'
export * from './stores/api-keys.js'
export * from './stores/consumer-offsets.js'
export * from './stores/idempotency.js'
export * from './stores/ledger.js'
export * from './stores/merchants.js'
export * from './stores/model-registry.js'
export * from './stores/rules.js'
export * from './stores/snapshots.js'
