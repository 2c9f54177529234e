import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Harness, startHarness } from '../testing/harness.js'
import { bookCharges } from '../testing/made-charges.js'
import { store } from '../testing/report-events.js'

let stored: TestClickHouse
let api: Harness
beforeAll(async () => {
  stored = await startTestClickHouse()
  api = await startHarness({ clickhouse: stored.clickhouse })
})
afterAll(async () => {
  await api.stop()
  await stored.close()
})

type Item = { id: string; amount: string } & Record<string, unknown>
type Page = { items: Item[]; nextCursor: string | null }
const post = async (path: string, body: unknown): Promise<Item> => {
  const answer = await api.call<Item>(api.operator, 'POST', path, body)
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body))
  return answer.body
}
const list = (merchantId: string, name: string, query = '', key = api.operator) =>
  api.call<Page>(key, 'GET', `/v1/merchants/${merchantId}/${name}${query}`)

/** A merchant with 10 EUR, a campaign and as many charges of 0.25, billed and reported. */
async function charged(charges: number) {
  const merchantId = await api.merchant()
  await post(`/v1/merchants/${merchantId}/deposits`, { amount: '10', reference: 'r' })
  const [listing] = await api.listings(merchantId, `listed-${merchantId}`)
  const body = { merchantId, name: 'c', pricing: 'cpc', bid: '1', budget: {}, listings: [listing] }
  const { id: campaignId } = await post('/v1/campaigns', body)
  const events = await bookCharges(
    api.postgres,
    Array.from({ length: charges }, () => ({
      merchantId,
      campaignId,
      micros: 250_000n,
      at: '2026-01-05T10:00:00Z',
    })),
  )
  await store(stored.clickhouse, events)
  return { merchantId, ids: events.map(({ data }) => data.chargeId) }
}

it('200: refunds and credits page newest first, as they were answered, for operator and merchant alike', async () => {
  const { merchantId } = await charged(0)
  const other = await charged(0)
  const own = await api.key(`merchant:${merchantId}`)
  for (const [name, note] of [
    ['refunds', 'reference'],
    ['credits', 'reason'],
  ] as const) {
    const made: Item[] = []
    for (const amount of ['0.000001', '2', '3'])
      made.unshift(await post(`/v1/merchants/${merchantId}/${name}`, { amount, [note]: `for ${amount}` }))
    await post(`/v1/merchants/${other.merchantId}/${name}`, { amount: '1', [note]: 'of somebody else' })
    const expected = made.map(({ balance: _, ...item }) => item)
    expect((await list(merchantId, name)).body).toEqual({ items: expected, nextCursor: null })
    const first = (await list(merchantId, name, '?limit=2', own)).body
    expect(first.items).toEqual(expected.slice(0, 2))
    const second = (await list(merchantId, name, `?limit=2&cursor=${first.nextCursor}`, own)).body
    expect(second).toEqual({ items: expected.slice(2), nextCursor: null })
  }
})

it("200: clawbacks page newest first, each with the merchant's part of it and no one else's", async () => {
  const one = await charged(4)
  const two = await charged(3)
  const both = await post('/v1/clawbacks', { reason: 'bot', charges: [...one.ids.slice(0, 2), two.ids[0]] })
  const last = await post('/v1/clawbacks', { reason: 'fraud', charges: one.ids.slice(1) })
  await post('/v1/clawbacks', { reason: 'other', charges: [two.ids[1]] })
  const part = ({ id, createdAt, reason }: Item, charges: number, amount: string) => ({
    ...{ id, createdAt, reason },
    ...{ charges, amount, currency: 'EUR' },
  })
  const expected = [part(last, 2, '0.5'), part(both, 2, '0.5')]
  expect((await list(one.merchantId, 'clawbacks')).body).toEqual({ items: expected, nextCursor: null })
  const first = (await list(one.merchantId, 'clawbacks', '?limit=1')).body
  expect(first.items).toEqual(expected.slice(0, 1))
  expect((await list(one.merchantId, 'clawbacks', `?cursor=${first.nextCursor}`)).body.items).toEqual(
    expected.slice(1),
  )
  expect((await list(two.merchantId, 'clawbacks')).body.items.map(({ amount }) => amount)).toEqual([
    '0.25',
    '0.25',
  ])
})

it('401, 403, 404 and 422: only with a key that may see the merchant, only with a cursor of such a list', async () => {
  const { merchantId } = await charged(0)
  const stranger = await api.key(`merchant:${await api.merchant()}`)
  const serving = await api.key('serve')
  for (const name of ['refunds', 'credits', 'clawbacks']) {
    expect((await list(merchantId, name, '', 'ek_none')).status).toBe(401)
    expect((await list(merchantId, name, '', serving)).status).toBe(403)
    expect((await list(merchantId, name, '', stranger)).status).toBe(404)
    expect((await list('mer_none', name)).status).toBe(404)
    for (const query of ['?limit=0', '?limit=201', '?cursor=nonsense', '?more=1'])
      expect((await list(merchantId, name, query)).status, query).toBe(422)
  }
})
