import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../testing/harness.js'

let api: Harness
beforeAll(async () => {
  api = await startHarness()
})
afterAll(() => api.stop())

interface Made {
  id: string
  key: string
  name: string
}
const make = (body: unknown, headers = {}) => api.call<Made>(api.operator, 'POST', '/v1/keys', body, headers)

describe('POST /v1/keys', () => {
  it('201: the key works for its scopes only, and is told this once', async () => {
    const merchantId = await api.merchant()
    const { status, body } = await make({ name: 'feed', scopes: [`merchant:${merchantId}`] })
    expect(status).toBe(201)
    expect(body.key).toMatch(/^ek_/)
    expect((await api.call(body.key, 'GET', `/v1/merchants/${merchantId}`)).status).toBe(200)
    expect((await api.call(body.key, 'GET', '/v1/keys')).status).toBe(403)
    const list = await api.call<{ items: object[] }>(api.operator, 'GET', '/v1/keys')
    expect(list.body.items[0]).toEqual({
      id: body.id,
      name: 'feed',
      scopes: [`merchant:${merchantId}`],
      createdAt: '2026-01-05T12:00:00.000Z',
      revokedAt: null,
    })
  })

  it('201: repeated with its Idempotency-Key, it gives the same key, which the database never knows', async () => {
    const headers = { 'idempotency-key': 'once' }
    const first = await make({ scopes: ['serve'] }, headers)
    const again = await make({ scopes: ['serve'] }, headers)
    expect(again.body).toEqual(first.body)
    const { rows } = await api.postgres.query<{ text: string }>(
      `select response::text as text from idempotency_keys
       union all select row_to_json(api_keys)::text from api_keys union all select value from outbox`,
    )
    expect(rows.length).toBeGreaterThan(2)
    expect(rows.filter(({ text }) => text?.includes(first.body.key.slice(3)))).toEqual([])
  })

  it('422: for unknown scopes and unknown merchants', async () => {
    for (const scopes of [['admin'], ['merchant:'], ['serve', 'merchant:mer_none'], []]) {
      expect((await make({ scopes })).status, JSON.stringify(scopes)).toBe(422)
    }
    expect(await make({ scopes: ['serve', 'merchant:mer_none'] })).toMatchObject({
      body: { errors: [{ path: '/scopes/1' }] },
    })
  })
})

describe('DELETE /v1/keys/{id}', () => {
  it('200: a revoked key stops working within seconds, and the change feed tells', async () => {
    const { body } = await make({ scopes: ['operator'] })
    expect((await api.call(body.key, 'GET', '/v1/keys')).status).toBe(200)
    const revoked = await api.call(api.operator, 'DELETE', `/v1/keys/${body.id}`)
    expect(revoked).toMatchObject({
      status: 200,
      body: { id: body.id, revokedAt: '2026-01-05T12:00:00.000Z' },
    })
    api.now += 5_001
    expect((await api.call(body.key, 'GET', '/v1/keys')).status).toBe(401)
    expect(await api.call(api.operator, 'DELETE', `/v1/keys/${body.id}`)).toMatchObject({
      status: 200,
      body: { revokedAt: '2026-01-05T12:00:00.000Z' },
    })
    const told = (await api.changes()).filter((change) => change.kind === 'api_key' && change.id === body.id)
    expect(told.map((change) => change.kind === 'api_key' && change.state.revoked)).toEqual([false, true])
  })

  it('404: for a key that does not exist', async () => {
    expect((await api.call(api.operator, 'DELETE', '/v1/keys/key_none')).status).toBe(404)
  })
})
