import { silentLogger } from '@endcap/platform/logging'
import { startTestPostgres, type TestPostgres } from '@endcap/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { purge } from './retention.js'

const NOW = Date.parse('2026-03-10T12:00:00Z')
const HOUR = 3_600_000

let database: TestPostgres
beforeAll(async () => {
  database = await startTestPostgres()
})
afterAll(() => database.stop())

describe('purge', () => {
  it('forgets impressions 48 h and answers 7 days after they were stored, and nothing younger', async () => {
    const { postgres } = database
    const at = (ageMs: number) => new Date(NOW - ageMs)
    await postgres.query(
      `insert into seen_impressions (auction_id, position, impression_id, occurred_at, recorded_at)
       select 'a' || n, 1, 'i' || n, '2020-01-01', case when n <= 25000 then $1::timestamptz else $2::timestamptz end
       from generate_series(1, 25003) as n`,
      [at(48 * HOUR + 1), at(48 * HOUR - 1)],
    )
    await postgres.query(
      `insert into idempotency_keys (scope, key, body_hash, created_at) values ('s', 'old', '', $1), ('s', 'new', '', $2)`,
      [at(7 * 24 * HOUR + 1), at(7 * 24 * HOUR - 1)],
    )
    const deps = { postgres, clock: () => NOW, logger: silentLogger() }
    expect(await purge(deps)).toEqual({ seenImpressions: 25_000, idempotencyKeys: 1 })
    expect(await purge(deps)).toEqual({ seenImpressions: 0, idempotencyKeys: 0 })
    expect((await postgres.query('select 1 from seen_impressions')).rowCount).toBe(3)
    expect((await postgres.query<{ key: string }>('select key from idempotency_keys')).rows).toEqual([
      { key: 'new' },
    ])
  })
})
