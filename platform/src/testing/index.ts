export { startTestPostgres, type TestPostgres } from './postgres.js'
export { redisAvailable, startRedis, type TestRedis } from './redis.js'
export { startTestClickHouse, startTestClickHouseHttp, type TestClickHouse, type TestClickHouseHttp } from './clickhouse.js'
