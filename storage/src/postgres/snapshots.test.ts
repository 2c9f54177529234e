import type { Postgres } from '@endcap/platform/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/index.js'
import { findMerchants } from './merchants.js'
import { getSnapshot, latestSnapshotVersion, putSnapshot } from './snapshots.js'

const now = new Date('2026-01-05T12:00:00Z')
let test: TestPostgres
let postgres: Postgres

beforeAll(async () => {
  test = await startTestPostgres()
  postgres = test.postgres
})
afterAll(() => test?.stop())

const put = (kind: string, content: Uint8Array) =>
  postgres.transaction((tx) => putSnapshot(tx, kind, content, now))

describe('snapshots', () => {
  it('keep the newest three of each kind, byte for byte', async () => {
    expect(await latestSnapshotVersion(postgres, 'stats')).toBeUndefined()
    const other = await put('index', Uint8Array.of(9))
    const versions: bigint[] = []
    for (let i = 0; i < 5; i++) versions.push(await put('stats', Uint8Array.of(0, 255, i)))
    expect(await latestSnapshotVersion(postgres, 'stats')).toBe(versions[4])
    expect(await getSnapshot(postgres, 'stats', versions[1]!)).toBeUndefined()
    const kept = await getSnapshot(postgres, 'stats', versions[2]!)
    expect([...kept!.content]).toEqual([0, 255, 2])
    expect(kept!.createdAt).toEqual(now)
    expect(await latestSnapshotVersion(postgres, 'index')).toBe(other)
    expect(await getSnapshot(postgres, 'index', versions[4]!)).toBeUndefined()
  })

  it('have rising versions and stay three when many write at once', async () => {
    const versions = await Promise.all(Array.from({ length: 8 }, (_, i) => put('raced', Uint8Array.of(i))))
    const newest = versions.toSorted((a, b) => (a < b ? -1 : 1)).at(-1)
    expect(await latestSnapshotVersion(postgres, 'raced')).toBe(newest)
    expect((await postgres.query(`select 1 from snapshots where kind = 'raced'`)).rowCount).toBe(3)
  })
})

describe('merchants', () => {
  it('are found for the merchants that exist', async () => {
    await postgres.query(`insert into merchants values ('m1', 'A', 'EUR', 'Europe/Berlin', 1, $1, $1)`, [now])
    const found = await findMerchants(postgres, ['m1', 'm2'])
    expect([...found.values()]).toMatchObject([{ id: 'm1', timeZone: 'Europe/Berlin', currency: 'EUR' }])
  })
})
