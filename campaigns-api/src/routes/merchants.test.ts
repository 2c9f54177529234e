import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../testing/harness.js'

let api: Harness
beforeAll(async () => {
  api = await startHarness()
})
afterAll(() => api.stop())

const body = { name: 'Acme', currency: 'EUR', timeZone: 'Europe/Berlin' }

describe('POST /v1/merchants', () => {
  it('201: creates a merchant that can be read back', async () => {
    const made = await api.call<{ id: string }>(api.operator, 'POST', '/v1/merchants', body)
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({
      ...body,
      id: expect.stringMatching(/^mer_/),
      createdAt: '2026-01-05T12:00:00.000Z',
    })
    expect((await api.call(api.operator, 'GET', `/v1/merchants/${made.body.id}`)).body).toEqual(made.body)
  })

  it('201: the same Idempotency-Key and body gives the first answer and one merchant', async () => {
    const headers = { 'idempotency-key': 'k1' }
    const first = await api.call(api.operator, 'POST', '/v1/merchants', { ...body, name: 'Once' }, headers)
    const again = await api.call(
      api.operator,
      'POST',
      '/v1/merchants',
      { name: 'Once', timeZone: body.timeZone, currency: 'EUR' },
      headers,
    )
    expect(again).toMatchObject({ status: 201, body: first.body })
    const { rows } = await api.postgres.query(`select 1 from merchants where name = 'Once'`)
    expect(rows).toHaveLength(1)
  })

  it('409: the same Idempotency-Key with another body changes nothing', async () => {
    const headers = { 'idempotency-key': 'k2' }
    await api.call(api.operator, 'POST', '/v1/merchants', body, headers)
    const other = await api.call(api.operator, 'POST', '/v1/merchants', { ...body, name: 'Other' }, headers)
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } })
  })

  it('422: names every bad field', async () => {
    const answer = await api.call<{ errors: { path: string }[] }>(api.operator, 'POST', '/v1/merchants', {
      name: ' ',
      currency: 'XXQ',
      timeZone: 'Mars/Base',
      extra: 1,
    })
    expect(answer.status).toBe(422)
    expect(answer.body.errors.map((error) => error.path).sort()).toEqual([
      '/currency',
      '/extra',
      '/name',
      '/timeZone',
    ])
  })

  it("403: a merchant's key makes no merchants", async () => {
    const key = await api.key(`merchant:${await api.merchant()}`)
    expect((await api.call(key, 'POST', '/v1/merchants', body)).status).toBe(403)
  })
})

describe('GET /v1/merchants', () => {
  it('200: pages through all merchants once, newest first', async () => {
    for (let i = 0; i < 3; i++) await api.merchant({ name: `Paged ${i}` })
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const url: string = `/v1/merchants?limit=2${cursor ? `&cursor=${cursor}` : ''}`
      const answer = await api.call<{ items: { id: string }[]; nextCursor: string | null }>(
        api.operator,
        'GET',
        url,
      )
      expect(answer.body.items.length).toBeLessThanOrEqual(2)
      seen.push(...answer.body.items.map((item) => item.id))
      cursor = answer.body.nextCursor
    } while (cursor)
    const { rows } = await api.postgres.query<{ id: string }>('select id from merchants order by id desc')
    expect(seen).toEqual(rows.map((row) => row.id))
  })

  it("200: a merchant's key sees its own merchant only", async () => {
    const own = await api.merchant()
    const key = await api.key(`merchant:${own}`)
    const { body } = await api.call<{ items: { id: string }[] }>(key, 'GET', '/v1/merchants')
    expect(body.items.map((item) => item.id)).toEqual([own])
  })

  it('422: refuses a cursor that no list gave out, and a limit out of range', async () => {
    for (const [query, path] of [
      ['cursor=!!', '?cursor'],
      ['cursor=eyJhIjoxfQ', '?cursor'],
      ['limit=0', '?limit'],
      ['limit=201', '?limit'],
      ['limit=1e2', '?limit'],
      ['limit=0x10', '?limit'],
      ['limit=%205', '?limit'],
      ['limit=5.0', '?limit'],
      ['limit=%2B5', '?limit'],
      ['limit=', '?limit'],
      ['limit=1&limit=2', '?limit'],
      ['surprise=1', '?surprise'],
    ] as const) {
      const answer = await api.call(api.operator, 'GET', `/v1/merchants?${query}`)
      expect(answer, query).toMatchObject({ status: 422, body: { errors: [{ path }] } })
    }
  })
})

describe('GET /v1/merchants/{id}', () => {
  it('404: answers the same for a merchant of somebody else as for one that does not exist', async () => {
    const key = await api.key(`merchant:${await api.merchant()}`)
    const other = await api.merchant()
    const foreign = await api.call<{ requestId: string }>(key, 'GET', `/v1/merchants/${other}`)
    const unknown = await api.call<{ requestId: string }>(key, 'GET', '/v1/merchants/mer_none')
    expect(foreign.status).toBe(404)
    expect({ ...foreign.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' })
  })
})

describe('PATCH /v1/merchants/{id}', () => {
  it('200: changes what is given, and puts the whole merchant on the change feed', async () => {
    const id = await api.merchant()
    api.now += 1000
    const answer = await api.call(api.operator, 'PATCH', `/v1/merchants/${id}`, { timeZone: 'Asia/Tokyo' })
    expect(answer).toMatchObject({ status: 200, body: { id, name: 'Acme', timeZone: 'Asia/Tokyo' } })
    const changes = (await api.changes()).filter((change) => change.id === id)
    expect(changes.map((change) => change.state.version)).toEqual([1, 2])
    expect(changes[1]).toMatchObject({
      kind: 'merchant',
      state: { name: 'Acme', timeZone: 'Asia/Tokyo', currency: 'EUR' },
    })
  })

  it('200: a change that changes nothing is not announced', async () => {
    const id = await api.merchant()
    const before = (await api.changes()).length
    expect((await api.call(api.operator, 'PATCH', `/v1/merchants/${id}`, { name: 'Acme' })).status).toBe(200)
    expect((await api.call(api.operator, 'PATCH', `/v1/merchants/${id}`, {})).status).toBe(200)
    expect((await api.changes()).length).toBe(before)
  })

  it('422: the currency cannot be changed', async () => {
    const answer = await api.call(api.operator, 'PATCH', `/v1/merchants/${await api.merchant()}`, {
      currency: 'USD',
    })
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: '/currency' }] } })
  })

  it('404: for a merchant of somebody else, which stays as it is', async () => {
    const key = await api.key(`merchant:${await api.merchant()}`)
    const other = await api.merchant()
    expect((await api.call(key, 'PATCH', `/v1/merchants/${other}`, { name: 'Mine' })).status).toBe(404)
    expect((await api.call(api.operator, 'GET', `/v1/merchants/${other}`)).body).toMatchObject({
      name: 'Acme',
    })
  })
})
