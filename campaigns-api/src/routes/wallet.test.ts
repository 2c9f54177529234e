import { ledgerSums, walletsThatDisagree } from '@endcap/storage/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../testing/harness.js'

let api: Harness
beforeAll(async () => {
  api = await startHarness()
})
afterAll(() => api.stop())

const deposit = (merchantId: string, body: unknown, headers = {}) =>
  api.call<{ id: string; errors: { path: string }[] }>(
    api.operator,
    'POST',
    `/v1/merchants/${merchantId}/deposits`,
    body,
    headers,
  )
const wallet = async (merchantId: string) =>
  (await api.call(api.operator, 'GET', `/v1/merchants/${merchantId}/wallet`)).body

describe('POST /v1/merchants/{id}/deposits', () => {
  it('201: lifts the wallet by exactly the amount, and the ledger still sums to zero', async () => {
    const id = await api.merchant()
    expect(await wallet(id)).toEqual({ balance: '0', currency: 'EUR', spentToday: '0' })
    const made = await deposit(id, { amount: '100.000001', reference: 'invoice 1' })
    expect(made).toMatchObject({
      status: 201,
      body: {
        merchantId: id,
        amount: '100.000001',
        balance: '100.000001',
        currency: 'EUR',
        reference: 'invoice 1',
      },
    })
    await deposit(id, { amount: '0.999999', reference: 'invoice 2' })
    expect(await wallet(id)).toMatchObject({ balance: '101' })
    expect((await ledgerSums(api.postgres)).map((sum) => sum.sumMicros)).toEqual([0n])
    expect(await walletsThatDisagree(api.postgres)).toEqual([])
  })

  it('201: a repeated call with its Idempotency-Key deposits once, also when both come at the same time', async () => {
    const id = await api.merchant()
    const call = () => deposit(id, { amount: '5', reference: 'r' }, { 'idempotency-key': 'pay' })
    const answers = await Promise.all([call(), call(), call()])
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.body.id}`)).size).toBe(1)
    expect(await wallet(id)).toMatchObject({ balance: '5' })
  })

  it('201: one Idempotency-Key at two merchants makes two deposits', async () => {
    const [a, b] = [await api.merchant(), await api.merchant()]
    for (const id of [a, b])
      await deposit(id, { amount: '5', reference: 'r' }, { 'idempotency-key': 'shared' })
    expect(await wallet(a)).toMatchObject({ balance: '5' })
    expect(await wallet(b)).toMatchObject({ balance: '5' })
  })

  it('201: deposits made at the same time all arrive', async () => {
    const id = await api.merchant()
    await Promise.all(Array.from({ length: 20 }, () => deposit(id, { amount: '0.1', reference: 'r' })))
    expect(await wallet(id)).toMatchObject({ balance: '2' })
  })

  it('422: refuses amounts that are not money, and moves none', async () => {
    const id = await api.merchant()
    for (const amount of ['0', '-1', '1.0000001', '1e3', 'NaN', '', 5, '10000000000000']) {
      const answer = await deposit(id, { amount, reference: 'r' })
      expect(answer, String(amount)).toMatchObject({ status: 422, body: { errors: [{ path: '/amount' }] } })
    }
    expect(await wallet(id)).toMatchObject({ balance: '0' })
  })

  it('422: refuses what a wallet cannot hold', async () => {
    const id = await api.merchant()
    expect((await deposit(id, { amount: '1000000000000', reference: 'r' })).status).toBe(201)
    expect(await deposit(id, { amount: '0.000001', reference: 'r' })).toMatchObject({
      status: 422,
      body: { errors: [{ path: '/amount', message: expect.stringContaining('is too large') }] },
    })
    expect(await wallet(id)).toMatchObject({ balance: '1000000000000' })
  })

  it('422: large deposits and credits at the same time fill a wallet up to what it can hold, and no further', async () => {
    const id = await api.merchant()
    const reference = 'r'
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        n % 2
          ? deposit(id, { amount: '300000000000', reference })
          : api.call<{ errors: object[] }>(api.operator, 'POST', `/v1/merchants/${id}/credits`, {
              amount: '300000000000',
              reason: reference,
            }),
      ),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 422, 422, 422, 422, 422])
    for (const { body } of answers.filter(({ status }) => status === 422))
      expect(body.errors).toEqual([
        { path: '/amount', message: 'is too large: the wallet would hold more than 1000000000000' },
      ])
    expect(await wallet(id)).toMatchObject({ balance: '900000000000' })
    expect(await walletsThatDisagree(api.postgres)).toEqual([])
  })

  it('422: an amount above the limit is called too large, in whatever field', async () => {
    const id = await api.merchant()
    const [listing] = await api.listings(id, 'large-1')
    const campaign = { merchantId: id, name: 'c', pricing: 'cpc', bid: '1', budget: {}, listings: [listing] }
    const made = await api.call<{ id: string }>(api.operator, 'POST', '/v1/campaigns', campaign)
    for (const amount of ['99999999999999', '1000000000000.000001', '9'.repeat(40)]) {
      for (const [method, path, body, field] of [
        ['POST', `/v1/merchants/${id}/deposits`, { amount, reference: 'r' }, '/amount'],
        ['POST', `/v1/merchants/${id}/refunds`, { amount, reference: 'r' }, '/amount'],
        ['POST', `/v1/merchants/${id}/credits`, { amount, reason: 'r' }, '/amount'],
        ['POST', '/v1/campaigns', { ...campaign, bid: amount }, '/bid'],
        ['POST', '/v1/campaigns', { ...campaign, budget: { total: amount } }, '/budget/total'],
        ['PATCH', `/v1/campaigns/${made.body.id}`, { budget: { daily: amount } }, '/budget/daily'],
        ['PATCH', `/v1/campaigns/${made.body.id}`, { budget: { weekly: amount } }, '/budget/weekly'],
        ['PATCH', `/v1/campaigns/${made.body.id}`, { budget: { monthly: amount } }, '/budget/monthly'],
        ['PUT', '/v1/rules', { reserve: amount }, '/reserve'],
      ] as const) {
        expect(await api.call(api.operator, method, path, body), `${path} ${amount}`).toMatchObject({
          status: 422,
          body: {
            code: 'validation_failed',
            errors: [{ path: field, message: 'the amount is too large: the most is 1000000000000' }],
          },
        })
      }
    }
    expect(await wallet(id)).toMatchObject({ balance: '0' })
  })

  it('403 for the merchant itself, 404 for a merchant that does not exist', async () => {
    const id = await api.merchant()
    const key = await api.key(`merchant:${id}`)
    const body = { amount: '5', reference: 'r' }
    expect((await api.call(key, 'POST', `/v1/merchants/${id}/deposits`, body)).status).toBe(403)
    expect((await deposit('mer_none', body)).status).toBe(404)
  })
})

describe('GET /v1/merchants/{id}/wallet', () => {
  it("200: counts today's spend by the merchant's own calendar", async () => {
    const id = await api.merchant({ timeZone: 'Asia/Tokyo' })
    await api.listings(id, 'wallet-1')
    const { body } = await api.call<{ id: string }>(api.operator, 'POST', '/v1/campaigns', {
      merchantId: id,
      name: 'c',
      pricing: 'cpc',
      bid: '1',
      budget: {},
      listings: ['wallet-1'],
    })
    const spend = (period: string, micros: bigint) =>
      api.postgres.query(
        `insert into spend_counters (campaign_id, period, merchant_id, spent_micros, updated_at) values ($1, $2, $3, $4, now())`,
        [body.id, period, id, micros],
      )
    await spend('2026-01-05', 1_500_000n)
    await spend('2026-01-06', 250_000n)
    await spend('total', 1_750_000n)
    api.now = Date.parse('2026-01-05T14:59:59Z')
    expect(await wallet(id)).toMatchObject({ spentToday: '1.5' })
    api.now = Date.parse('2026-01-05T15:00:00Z')
    expect(await wallet(id)).toMatchObject({ spentToday: '0.25' })
  })

  it('404: for somebody else', async () => {
    const id = await api.merchant()
    const key = await api.key(`merchant:${await api.merchant()}`)
    for (const part of ['wallet', 'ledger', 'deposits']) {
      expect((await api.call(key, 'GET', `/v1/merchants/${id}/${part}`)).status, part).toBe(404)
    }
  })
})

describe('GET /v1/merchants/{id}/ledger and /deposits', () => {
  it('200: page newest first; the entries add up to the balance', async () => {
    const id = await api.merchant()
    for (const amount of ['1', '2', '3']) await deposit(id, { amount, reference: `r${amount}` })
    const key = await api.key(`merchant:${id}`)
    type Page = { items: { amount: string; kind: string }[]; nextCursor: string | null }
    for (const part of ['ledger', 'deposits']) {
      const first = await api.call<Page>(key, 'GET', `/v1/merchants/${id}/${part}?limit=2`)
      expect(first.body.items.map((item) => item.amount)).toEqual(['3', '2'])
      const second = await api.call<Page>(
        key,
        'GET',
        `/v1/merchants/${id}/${part}?limit=2&cursor=${first.body.nextCursor}`,
      )
      expect(second.body).toMatchObject({ items: [{ amount: '1' }], nextCursor: null })
    }
    const { body } = await api.call<Page>(key, 'GET', `/v1/merchants/${id}/ledger`)
    expect(body.items[0]).toMatchObject({ kind: 'deposit', account: `wallet:${id}`, currency: 'EUR' })
  })
})
