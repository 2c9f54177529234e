export {
  startTestClickHouse,
  startTestClickHouseHttp,
  type TestClickHouse,
  type TestClickHouseHttp,
} from './clickhouse.js'
export { kafkaAvailable, startKafka, type TestKafka } from './kafka.js'
export { pageTable } from './page-table.js'
export {
  createTemplate,
  type PostgresServer,
  startPostgresServer,
  startTestPostgres,
  TEST_POSTGRES_VARIABLE,
  type TestPostgres,
} from './postgres.js'
export { redisAvailable, startRedis } from './redis.js'
