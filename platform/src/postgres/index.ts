export * from './binary-arrays.js'
export {
  connectPostgres,
  sqlState,
} from './connect.js'
export { startEmbeddedPostgres } from './embedded.js'
export type { Postgres, Queryable, Transaction } from './postgres.js'
