import { randomBytes } from 'node:crypto'
import { createSequentialIdSource, type Scope, TOPICS } from '@endcap/contracts'
import type { Caller } from '@endcap/platform/http'
import type { Postgres, Queryable } from '@endcap/platform/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/index.js'
import { createKeyVerifier, insertApiKey, listApiKeys, newApiKey, revokeApiKey } from './api-keys.js'

const now = new Date('2026-01-05T12:00:00Z')
const ids = createSequentialIdSource()
const context = { ids, now, source: 'test' }
let test: TestPostgres
let postgres: Postgres

beforeAll(async () => {
  test = await startTestPostgres()
  postgres = test.postgres
})
afterAll(() => test?.stop())

async function addKey(...scopes: Scope[]) {
  const made = newApiKey(randomBytes)
  const id = ids('key')
  await postgres.transaction((tx) =>
    insertApiKey(tx, { id, name: 'a key', hash: made.hash, scopes }, context),
  )
  return { id, ...made }
}
const announced = async (id: string) => {
  const { rows } = await postgres.query<{ value: string }>(
    'select value from outbox where topic = $1 and key = $2 order by id',
    [TOPICS.changes, `api_key:${id}`],
  )
  return rows.map(
    (row) => JSON.parse(row.value).data.state as { revoked: boolean; hash: string; scopes: string[] },
  )
}

describe('API keys', () => {
  it('hold at least 160 random bits and are stored as a hash only', async () => {
    const { key, hash } = await addKey('serve')
    expect(key).toMatch(/^ek_[A-Za-z0-9_-]{27,}$/)
    expect(newApiKey(randomBytes).key).not.toBe(key)
    const { rows } = await postgres.query<{ text: string }>(
      `select api_keys::text as text from api_keys union all select outbox::text from outbox`,
    )
    expect(rows.some((row) => row.text.includes(hash))).toBe(true)
    expect(rows.some((row) => row.text.includes(key))).toBe(false)
  })

  it('reach the change feed when they are made and when they are revoked, once each', async () => {
    const { id, hash } = await addKey('serve', 'merchant:mer_1')
    await postgres.transaction((tx) => revokeApiKey(tx, id, context))
    const again = await postgres.transaction((tx) => revokeApiKey(tx, id, context))
    expect(again).toMatchObject({ id, revokedAt: now })
    const state = { id, hash, scopes: ['serve', 'merchant:mer_1'] }
    expect(await announced(id)).toEqual([
      { ...state, revoked: false },
      { ...state, revoked: true },
    ])
    expect(await postgres.transaction((tx) => revokeApiKey(tx, 'key_none', context))).toBeUndefined()
    expect((await listApiKeys(postgres)).find((row) => row.id === id)).toMatchObject({ hash, revokedAt: now })
  })

  it('are nowhere when their transaction rolls back', async () => {
    const { hash } = newApiKey(randomBytes)
    const failed = postgres.transaction(async (tx) => {
      await insertApiKey(tx, { id: 'key_lost', name: '', hash, scopes: [] }, context)
      throw new Error('rolled back')
    })
    await expect(failed).rejects.toThrow('rolled back')
    expect(await announced('key_lost')).toEqual([])
  })
})

describe('the key verifier', () => {
  it('gives the caller that the scopes make', async () => {
    const verify = createKeyVerifier(postgres, () => 0)
    const merchant = (await verify((await addKey('reports', 'merchant:mer_1')).key)) as Caller
    expect(merchant).toMatchObject({ isOperator: false, scopes: ['reports', 'merchant:mer_1'] })
    expect([merchant.mayActFor('mer_1'), merchant.mayActFor('mer_2')]).toEqual([true, false])
    const operator = (await verify((await addKey('operator')).key)) as Caller
    expect([operator.isOperator, operator.mayActFor('mer_2')]).toEqual([true, true])
  })

  it('knows no caller for a key that is unknown, cut or no key at all', async () => {
    const verify = createKeyVerifier(postgres, () => 0)
    const { key, hash } = await addKey('serve')
    for (const guess of [
      newApiKey(randomBytes).key,
      key.slice(0, -1),
      `${key}x`,
      hash,
      '',
      'ek_',
      `ek_${'x'.repeat(9999)}`,
    ]) {
      expect(await verify(guess)).toBeUndefined()
    }
  })

  it('asks once in 5 s for a key, however often it is shown, and notices a revocation after that', async () => {
    let nowMs = 0
    let asked = 0
    const counting: Queryable = {
      query: (text, values) => {
        asked++
        return postgres.query(text, values)
      },
    }
    const verify = createKeyVerifier(counting, () => nowMs)
    const { id, key } = await addKey('serve')
    await Promise.all(Array.from({ length: 50 }, () => verify(key)))
    expect(asked).toBe(1)
    await postgres.transaction((tx) => revokeApiKey(tx, id, context))
    nowMs = 4999
    expect(await verify(key)).toBeDefined()
    nowMs = 5000
    expect(await verify(key)).toBeUndefined()
    expect(asked).toBe(2)
  })

  it('does not remember a look-up that failed', async () => {
    let broken = true
    const flaky: Queryable = {
      query: (text, values) => (broken ? Promise.reject(new Error('away')) : postgres.query(text, values)),
    }
    const verify = createKeyVerifier(flaky, () => 0)
    const { key } = await addKey('serve')
    await expect(verify(key)).rejects.toThrow('away')
    broken = false
    expect(await verify(key)).toBeDefined()
  })
})
