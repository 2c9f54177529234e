export * from './clickhouse.js'
export * from './postgres.js'
