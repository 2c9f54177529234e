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

type Page = { items: unknown[]; nextCursor: string | null; errors?: object[] }
const get = (url: string) => api.call<Page>(api.operator, 'GET', url)
const post = async (path: string, body: unknown): Promise<string> => {
  const answer = await api.call<{ id: string }>(api.operator, 'POST', path, body)
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body))
  return answer.body.id
}

/** A merchant with two of everything that is listed. */
async function merchantWithTwoOfEach(): Promise<string> {
  api.now = Date.parse('2025-12-05T12:00:00Z')
  const merchantId = await api.merchant()
  api.now = Date.parse('2026-01-05T12:00:00Z')
  const listings = await api.listings(merchantId, `1-${merchantId}`, `2-${merchantId}`)
  for (const amount of ['5', '6']) {
    await post(`/v1/merchants/${merchantId}/deposits`, { amount, reference: 'r' })
    await post(`/v1/merchants/${merchantId}/credits`, { amount, reason: 'r' })
    await post(`/v1/merchants/${merchantId}/refunds`, { amount: '1', reference: 'r' })
  }
  const body = { merchantId, name: 'c', pricing: 'cpc', bid: '1', budget: {}, listings }
  const [campaignId] = [await post('/v1/campaigns', body), await post('/v1/campaigns', body)]
  const at = '2026-01-05T10:00:00Z'
  const charge = { merchantId, campaignId: campaignId!, micros: 250_000n, at }
  const charges = await bookCharges(api.postgres, [charge, charge])
  await store(stored.clickhouse, charges)
  for (const { data } of charges) await post('/v1/clawbacks', { reason: 'bot', charges: [data.chargeId] })
  return merchantId
}

it('422: a cursor of one list is none of any other, nor of the same list of another merchant', async () => {
  const merchantIds = [await merchantWithTwoOfEach(), await merchantWithTwoOfEach()]
  await api.key('serve')
  const lists = [
    ...['campaigns', 'keys', 'listings', 'merchants'].map((name) => `/v1/${name}`),
    ...['clawbacks', 'credits', 'deposits', 'ledger', 'refunds', 'statements'].flatMap((name) =>
      merchantIds.map((id) => `/v1/merchants/${id}/${name}`),
    ),
  ]
  const cursors = await Promise.all(lists.map(async (list) => (await get(`${list}?limit=1`)).body.nextCursor))
  for (const list of lists) {
    for (const [index, cursor] of cursors.entries()) {
      const { status, body } = await get(`${list}?limit=1&cursor=${cursor}`)
      const name = `the cursor of ${lists[index]} on ${list}`
      if (lists[index] === list) expect([status, body.items.length], name).toEqual([200, 1])
      else {
        expect(status, name).toBe(422)
        expect(body.errors).toEqual([{ path: '?cursor', message: 'is not a cursor of this list' }])
      }
    }
  }
})

it('200: listings page on after the longest ids that there can be', async () => {
  const merchantId = await api.merchant()
  const ids = await api.listings(merchantId, '鞋'.repeat(128), '鞋'.repeat(127))
  const url = `/v1/listings?merchantId=${merchantId}&limit=1`
  const first = await get(url)
  const second = await get(`${url}&cursor=${first.body.nextCursor}`)
  expect(second.status).toBe(200)
  expect([...first.body.items, ...second.body.items]).toEqual(
    expect.arrayContaining(ids.map((id) => expect.objectContaining({ id }))),
  )
})
