import { badInputBattery } from '@endcap/platform/http'
import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Harness, listingItem, startHarness } from '../testing/harness.js'

let api: Harness
let stored: TestClickHouse
let merchantId: string
let campaignId: string
let merchantKey: string
let otherKey: string

const campaign = (listing: string) => ({
  name: 'Winter',
  bid: '0.75',
  budget: { daily: '10.0', total: '100.0' },
  startsAt: '2026-02-01T00:00:00Z',
  dayparts: [{ days: [1], from: '09:30', to: '10:00' }],
  pacing: 'even',
  targeting: {
    keywords: [{ text: 'red shoes', match: 'phrase', negative: true }],
    categories: ['shoes'],
    locations: [{ lat: 52.5, lng: 13.4, radiusKm: 10 }],
    items: ['i1'],
  },
  placements: ['search'],
  listings: [listing],
  targetRoas: 4,
  frequencyCap: { day: 5 },
})

beforeAll(async () => {
  stored = await startTestClickHouse()
  api = await startHarness({ clickhouse: stored.clickhouse })
  merchantId = await api.merchant()
  await api.listings(merchantId, 'bad-1')
  merchantKey = await api.key(`merchant:${merchantId}`)
  otherKey = await api.key('serve')
  const made = await api.call<{ id: string }>(api.operator, 'POST', '/v1/campaigns', {
    ...campaign('bad-1'),
    merchantId,
    pricing: 'cpc',
  })
  campaignId = made.body.id
})
afterAll(async () => {
  await api.stop()
  await stored.close()
})

/** Everything that a call could have written. */
const stateOf = async () => {
  const { rows } = await api.postgres.query<{ state: string }>(
    [
      'merchants',
      'listings',
      'campaigns',
      'ads',
      'deposits',
      'ledger_entries',
      'api_keys',
      'rules',
      'idempotency_keys',
      'outbox',
    ]
      .map(
        (table) =>
          `select '${table} ' || count(*) || ' ' || coalesce(sum(hashtext(t::text)), 0) as state from ${table} t`,
      )
      .join(' union all '),
  )
  return rows.map((row) => row.state)
}

it('no route answers bad input with a server error, and none half-writes', async () => {
  const wrongScopeKey = otherKey
  const fired = [
    await badInputBattery(api.app, {
      method: 'POST',
      url: '/v1/merchants',
      validBody: { name: 'Acme', currency: 'EUR', timeZone: 'UTC' },
      key: api.operator,
      wrongScopeKey: merchantKey,
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'PATCH',
      url: `/v1/merchants/${merchantId}`,
      validBody: { name: 'Acme', timeZone: 'Europe/Berlin' },
      key: api.operator,
      wrongScopeKey,
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'POST',
      url: `/v1/merchants/${merchantId}/deposits`,
      validBody: { amount: '1.50', reference: 'r' },
      key: api.operator,
      wrongScopeKey: merchantKey,
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'POST',
      url: `/v1/merchants/${merchantId}/refunds`,
      validBody: { amount: '1.50', reference: 'r' },
      key: api.operator,
      wrongScopeKey: merchantKey,
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'POST',
      url: `/v1/merchants/${merchantId}/credits`,
      validBody: { amount: '1.50', reason: 'r' },
      key: api.operator,
      wrongScopeKey: merchantKey,
      stateOf,
    }),
    ...(await Promise.all(
      [
        { charges: ['chg_1'] },
        {
          filter: {
            campaignId,
            addressHash: 'h',
            from: '2026-01-01T00:00:00Z',
            to: '2026-01-05T00:00:00Z',
          },
        },
      ].map((which) =>
        badInputBattery(api.app, {
          method: 'POST',
          url: '/v1/clawbacks',
          validBody: { reason: 'bot', dryRun: true, ...which },
          key: api.operator,
          wrongScopeKey: merchantKey,
          stateOf,
        }),
      ),
    )),
    await badInputBattery(api.app, {
      method: 'PUT',
      url: '/v1/listings',
      validBody: { items: [listingItem('bad-2', merchantId)] },
      key: merchantKey,
      wrongScopeKey,
      lenient: ['/items/0'],
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'POST',
      url: '/v1/campaigns',
      validBody: { ...campaign('bad-1'), merchantId, pricing: 'cpc', status: 'draft' },
      key: api.operator,
      wrongScopeKey,
      lenient: ['/merchantId'],
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'PATCH',
      url: `/v1/campaigns/${campaignId}`,
      validBody: campaign('bad-1'),
      key: merchantKey,
      wrongScopeKey,
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'POST',
      url: '/v1/keys',
      validBody: { name: 'k', scopes: ['serve'] },
      key: api.operator,
      wrongScopeKey: merchantKey,
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'PUT',
      url: '/v1/rules',
      validBody: {
        reserves: [{ name: 'home', placement: 'home', category: 'shoes', reserve: '0.1', reserveCpm: '1' }],
        reserve: '0.05',
        reserveCpm: '0.5',
        squashing: 0.8,
        maxPerMerchant: 3,
        relevanceFloor: 0.2,
        merchantFrequencyCap: { day: 20 },
        blocked: { merchants: ['m1'], categories: ['weapons'], terms: ['free money'] },
        version: 0,
      },
      key: api.operator,
      wrongScopeKey: merchantKey,
      stateOf,
    }),
    await badInputBattery(api.app, {
      method: 'POST',
      url: '/v1/reports/query',
      validBody: {
        metrics: ['clicks', 'spend'],
        dimensions: ['day', 'campaign'],
        filters: { merchant: [merchantId], searchTerm: 'shoes', position: '1', sponsored: true },
        from: '2026-01-05T00:00:00Z',
        to: '2026-01-06T00:00:00Z',
        timeZone: 'Europe/Berlin',
        attribution: { clickDays: 7, viewDays: 1, match: 'halo', model: 'last_touch' },
        orderBy: [{ field: 'spend', direction: 'desc' }],
        limit: 10,
      },
      key: api.operator,
      wrongScopeKey: otherKey,
      // One value or a list of them: both shapes are right.
      lenient: ['/filters/merchant', '/filters/searchTerm', '/filters/position'],
      stateOf,
    }),
  ]
  expect(Math.min(...fired)).toBeGreaterThan(30)
})

it('an item of a bulk call may be anything: it is rejected alone, with its path', async () => {
  const valid = listingItem('bad-3', merchantId, {
    location: { lat: 1, lng: 2 },
    attributes: { a: 'b' },
    status: 'active',
  })
  const spoiled = Object.keys(valid).flatMap((field) =>
    [null, 7, -1, true, {}, [], '', 'x'.repeat(5000), { lat: 1e9 }, { a: { b: 1 } }, [1]].map((value) => ({
      field,
      value,
    })),
  )
  const items = [...spoiled.map(({ field, value }) => ({ ...valid, [field]: value })), null, 1, [], 'x', {}]
  const answer = await api.call<{ results: { status: string; errors?: { path: string }[] }[] }>(
    api.operator,
    'PUT',
    '/v1/listings',
    { items },
  )
  expect(answer.status).toBe(200)
  const accepted = answer.body.results.filter((result) => result.status !== 'rejected')
  expect(accepted.length).toBeLessThan(10)
  answer.body.results.forEach((result, index) => {
    if (result.status !== 'rejected') return
    expect(result.errors![0]!.path.startsWith(`/items/${index}`), JSON.stringify(result)).toBe(true)
  })
})

it('an id of an address may be anything', async () => {
  for (const id of ['%00', '%ff', 'a'.repeat(5000), '%F0%9F%98%80', "'%20or%201=1", '..%2f..', '%0a', '%']) {
    for (const url of [
      `/v1/merchants/${id}`,
      `/v1/listings/${id}`,
      `/v1/campaigns/${id}`,
      `/v1/merchants/${id}/wallet`,
    ]) {
      const { status } = await api.call(api.operator, 'GET', url)
      expect([400, 404, 422], url).toContain(status)
    }
  }
})

it('an Idempotency-Key of a call that was refused can be used again', async () => {
  const headers = { 'idempotency-key': 'retry' }
  const body = { amount: '5', reference: 'r' }
  const missing = await api.call(api.operator, 'POST', '/v1/merchants/mer_none/deposits', body, headers)
  expect(missing.status).toBe(404)
  const url = `/v1/merchants/${merchantId}/deposits`
  expect((await api.call(api.operator, 'POST', url, { amount: '-5', reference: 'r' }, headers)).status).toBe(
    422,
  )
  expect((await api.call(api.operator, 'POST', url, body, headers)).status).toBe(201)
})
