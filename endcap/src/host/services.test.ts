import { ConfigError } from '@endcap/platform/config'
import { describe, expect, it } from 'vitest'
import { loadConfig, type Role } from './services.js'

function problemsOf(role: Role): string[] {
  try {
    loadConfig([role], {})
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ variable }) => variable)
    throw error
  }
  return []
}

describe('the services of Endcap', () => {
  it.each<[Role, string[]]>([
    ['campaigns-api', ['DATABASE_URL', 'CLICKHOUSE_URL']],
    ['ad-server', ['DATABASE_URL', 'KAFKA_BROKERS', 'REDIS_URL', 'ENDCAP_TOKEN_KEYS', 'ENDCAP_IDENTITY_KEY']],
    ['orders', ['DATABASE_URL', 'ENDCAP_IDENTITY_KEY']],
    ['pipeline', ['DATABASE_URL', 'CLICKHOUSE_URL', 'KAFKA_BROKERS', 'REDIS_URL', 'ENDCAP_TOKEN_KEYS']],
    ['ingest', ['DATABASE_URL', 'CLICKHOUSE_URL', 'KAFKA_BROKERS']],
    ['relay', ['DATABASE_URL', 'KAFKA_BROKERS']],
    ['jobs', ['DATABASE_URL', 'CLICKHOUSE_URL', 'KAFKA_BROKERS', 'REDIS_URL', 'ENDCAP_TOKEN_KEYS']],
    ['billing', ['DATABASE_URL', 'KAFKA_BROKERS', 'ENDCAP_TOKEN_KEYS']],
    ['clickhouse', []],
  ])('role %s alone names all that it misses at once', (role, missing) => {
    expect(problemsOf(role)).toEqual(missing)
  })
})
