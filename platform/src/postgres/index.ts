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
  appendToOutbox,
  type EntityChange,
  type OutboxEntry,
  type OutboxEvent,
} from './outbox.js'
export type { Postgres, Queryable, QueryResult, Transaction } from './postgres.js'
export * from './stores/ledger.js'
