export * from './binary-arrays.js'
export {
  connectPostgres,
  type PostgresOptions,
  PostgresUnavailableError,
  sqlState,
  violatedConstraint,
} from './connect.js'
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded.js'
export type { Postgres, Queryable, QueryResult, Transaction } from './postgres.js'
