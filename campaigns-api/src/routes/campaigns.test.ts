import type { Campaign, CampaignState } from '@endcap/contracts'
import { postLedger } from '@endcap/storage/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, listingItem, startHarness } from '../testing/harness.js'

let api: Harness
beforeAll(async () => {
  api = await startHarness()
})
afterAll(() => api.stop())

type Refused = { errors: { path: string }[] }
let made = 0
/** A merchant with two listings. */
async function shop() {
  const merchantId = await api.merchant()
  const n = ++made
  return { merchantId, listings: await api.listings(merchantId, `c${n}-1`, `c${n}-2`) }
}
const bodyFor = ({ merchantId, listings }: { merchantId: string; listings: string[] }, fields = {}) => ({
  merchantId,
  name: 'Winter',
  pricing: 'cpc',
  bid: '0.75',
  budget: { daily: '10', total: '100' },
  listings,
  ...fields,
})
const create = (body: unknown, key = api.operator, headers = {}) =>
  api.call<Campaign & Refused>(key, 'POST', '/v1/campaigns', body, headers)
const patch = (id: string, body: unknown, key = api.operator) =>
  api.call<Campaign & Refused>(key, 'PATCH', `/v1/campaigns/${id}`, body)
const act = (id: string, action: string, key = api.operator) =>
  api.call<Campaign & { code: string }>(key, 'POST', `/v1/campaigns/${id}/${action}`)
const get = async (id: string) => (await api.call<Campaign>(api.operator, 'GET', `/v1/campaigns/${id}`)).body
const announced = async (id: string) =>
  (await api.changes())
    .filter((change) => change.kind === 'campaign' && change.id === id)
    .map((change) => change.state as CampaignState)
const fund = (merchantId: string, amount = '1000') =>
  api.call(api.operator, 'POST', `/v1/merchants/${merchantId}/deposits`, { amount, reference: 'r' })
const spend = (campaignId: string, merchantId: string, period: string, micros: bigint) =>
  api.postgres.query(
    `insert into spend_counters (campaign_id, period, merchant_id, spent_micros, updated_at) values ($1, $2, $3, $4, now())
     on conflict (campaign_id, period) do update set spent_micros = excluded.spent_micros`,
    [campaignId, period, merchantId, micros],
  )

describe('POST /v1/campaigns', () => {
  it('201: a draft with everything set reads back as it was written, and the change feed carries it whole', async () => {
    const owner = await shop()
    const full = bodyFor(owner, {
      startsAt: '2026-02-01T00:00:00+01:00',
      endsAt: '2026-03-01T00:00:00+01:00',
      dayparts: [{ days: [5, 1, 1], from: '09:30', to: '24:00' }],
      pacing: 'asap',
      targeting: {
        keywords: [
          { text: 'red shoes', match: 'phrase' },
          { text: 'used', match: 'broad', negative: true },
        ],
        categories: ['shoes', 'shoes'],
        locations: [{ lat: 52.5, lng: 13.4, radiusKm: 10 }],
        items: ['i1'],
      },
      placements: ['search'],
      targetRoas: 4,
      frequencyCap: { day: 5 },
    })
    const { status, body } = await create(full)
    expect(status).toBe(201)
    expect(body).toMatchObject({
      merchantId: owner.merchantId,
      status: 'draft',
      currency: 'EUR',
      bid: '0.75',
      budget: { daily: '10', total: '100' },
      startsAt: '2026-01-31T23:00:00.000Z',
      dayparts: [{ days: [1, 5], from: '09:30', to: '24:00' }],
      pacing: 'asap',
      targeting: { categories: ['shoes'], keywords: [{ negative: false }, { negative: true }] },
      listings: owner.listings,
      spentToday: '0',
      notServing: 'draft',
    })
    expect(await get(body.id)).toEqual(body)
    expect(await announced(body.id)).toMatchObject([
      {
        merchantId: owner.merchantId,
        bidMicros: '750000',
        budgetDailyMicros: '10000000',
        budgetTotalMicros: '100000000',
        dayparts: [{ days: [1, 5], fromMinute: 570, toMinute: 1440 }],
        frequencyCap: { day: 5 },
        targetRoas: 4,
        ads: body.ads,
        version: 1,
      },
    ])
  })

  it('201: may start active; repeating the call with its Idempotency-Key makes no second one', async () => {
    const owner = await shop()
    const headers = { 'idempotency-key': 'launch' }
    const first = await create(bodyFor(owner, { status: 'active' }), api.operator, headers)
    const again = await create(bodyFor(owner, { status: 'active' }), api.operator, headers)
    expect(first.body.status).toBe('active')
    expect(again).toMatchObject({ status: 201, body: first.body })
    expect(await announced(first.body.id)).toHaveLength(1)
  })

  it('422: names what is wrong, and writes nothing', async () => {
    const owner = await shop()
    const other = await shop()
    for (const [fields, paths] of [
      [{ budget: { daily: '101', total: '100' } }, ['/budget/daily']],
      [{ budget: { daily: '0' } }, ['/budget/daily']],
      [{ bid: '-0.5' }, ['/bid']],
      [{ bid: 0.5 }, ['/bid']],
      [{ startsAt: '2026-02-01T00:00:00Z', endsAt: '2026-02-01T00:00:00Z' }, ['/endsAt']],
      [{ startsAt: '0001-01-01T00:00:00Z' }, ['/startsAt']],
      [{ dayparts: [{ days: [1], from: '10:00', to: '09:00' }] }, ['/dayparts/0/to']],
      [
        { listings: [owner.listings[0], other.listings[0], 'nowhere', owner.listings[0]] },
        ['/listings/1', '/listings/2', '/listings/3'],
      ],
      [{ listings: [] }, ['/listings']],
      [{ targeting: { keywords: [{ text: '', match: 'exact' }] } }, ['/targeting/keywords/0/text']],
      [
        {
          targeting: {
            keywords: [
              { text: '①', match: 'exact' },
              { text: '!!!', match: 'phrase' },
              { text: '👟', match: 'broad', negative: true },
              { text: '\u3164\uFFA0\uFE0F', match: 'exact' },
            ],
          },
        },
        ['/targeting/keywords/1/text', '/targeting/keywords/2/text', '/targeting/keywords/3/text'],
      ],
      [{ status: 'archived' }, ['/status']],
      [{ surprise: 1 }, ['/surprise']],
    ] as const) {
      const answer = await create(bodyFor(owner, fields))
      expect(answer.status, JSON.stringify(fields)).toBe(422)
      expect(answer.body.errors.map((error) => error.path)).toEqual(paths)
    }
    const { rows } = await api.postgres.query('select 1 from campaigns where merchant_id = $1', [
      owner.merchantId,
    ])
    expect(rows).toEqual([])
  })

  it('413: a campaign that the event log cannot take is not written, neither new nor changed', async () => {
    const owner = await shop()
    const texts = (count: number, length: number) =>
      Array.from({ length: count }, (_, index) => `${index}${'靴'.repeat(length)}`)
    const keywords = texts(1000, 150).map((text) => ({ text, match: 'exact' }))
    const items = texts(1000, 124)
    const categories = texts(200, 124)
    const whole = bodyFor(owner, { targeting: { keywords, items, categories } })
    expect(Buffer.byteLength(JSON.stringify(whole))).toBeLessThan(1024 * 1024)
    const made = await create(bodyFor(owner))
    const before = await api.changes()
    expect((await create(whole)).status).toBe(413)
    const refused = await patch(made.body.id, { targeting: { keywords, items, categories } })
    expect(refused).toMatchObject({ status: 413, body: { code: 'body_too_large' } })
    expect(await get(made.body.id)).toEqual(made.body)
    expect(await api.changes()).toEqual(before)
    expect((await patch(made.body.id, { targeting: { keywords, items } })).status).toBe(200)
  })

  it("404: for another merchant, with one's own key", async () => {
    const owner = await shop()
    const key = await api.key(`merchant:${owner.merchantId}`)
    const refused = await create(bodyFor(await shop()), key)
    expect(refused.status).toBe(404)
    expect(refused.body.errors).toEqual([{ path: '/merchantId', message: 'there is no such merchant' }])
    expect((await create(bodyFor(owner), key)).status).toBe(201)
  })
})

it('documents that actions need no body, and creating does', async () => {
  const { paths } = (await api.app.inject('/openapi.json')).json()
  expect(paths['/v1/campaigns/{id}/pause'].post.requestBody.required).toBe(false)
  expect(paths['/v1/campaigns'].post.requestBody.required).toBe(true)
})

describe('GET /v1/campaigns', () => {
  it("200: pages through the own campaigns, newest first, each with today's spend by the merchant's calendar", async () => {
    const owner = await shop()
    const ids: string[] = []
    for (let i = 0; i < 3; i++)
      ids.unshift((await create(bodyFor(owner, { status: i === 0 ? 'active' : 'draft' }))).body.id)
    await spend(ids[2]!, owner.merchantId, '2026-01-05', 2_500_000n)
    await spend(ids[2]!, owner.merchantId, '2026-01-04', 9_000_000n)
    await spend(ids[2]!, owner.merchantId, 'total', 11_500_000n)
    const key = await api.key(`merchant:${owner.merchantId}`)
    type Page = { items: Campaign[]; nextCursor: string | null }
    const first = (await api.call<Page>(key, 'GET', '/v1/campaigns?limit=2')).body
    const second = (await api.call<Page>(key, 'GET', `/v1/campaigns?limit=2&cursor=${first.nextCursor}`)).body
    expect([...first.items, ...second.items].map((item) => item.id)).toEqual(ids)
    expect(second.items[0]).toMatchObject({ spentToday: '2.5', spentTotal: '11.5' })
    const active = await api.call<Page>(
      api.operator,
      'GET',
      `/v1/campaigns?merchantId=${owner.merchantId}&status=active`,
    )
    expect(active.body.items.map((item) => item.id)).toEqual([ids[2]])
  })

  it('404: for the campaigns of somebody else, one or all', async () => {
    const other = await shop()
    const { body } = await create(bodyFor(other))
    const key = await api.key(`merchant:${(await shop()).merchantId}`)
    expect((await api.call(key, 'GET', `/v1/campaigns?merchantId=${other.merchantId}`)).status).toBe(404)
    expect((await api.call(key, 'GET', `/v1/campaigns/${body.id}`)).status).toBe(404)
    expect((await patch(body.id, { name: 'Mine' }, key)).status).toBe(404)
    expect((await act(body.id, 'archive', key)).status).toBe(404)
    expect(await get(body.id)).toMatchObject({ name: 'Winter', status: 'draft' })
  })

  it('200: says what keeps a campaign from serving, as each obstacle goes', async () => {
    api.now = Date.parse('2026-01-05T12:00:00Z')
    const owner = await shop()
    const { merchantId, listings } = owner
    await api.call(api.operator, 'PUT', '/v1/listings', {
      items: listings.map((id) => listingItem(id, merchantId, { status: 'inactive' })),
    })
    const dayparts = [{ days: [1], from: '13:00', to: '14:00' }]
    const { id } = (await create(bodyFor(owner, { startsAt: '2026-01-06T00:00:00Z', dayparts }))).body
    const reason = async () => (await get(id)).notServing
    expect(await reason()).toBe('draft')
    await act(id, 'activate')
    expect(await reason()).toBe('not_started')
    await patch(id, { startsAt: null, endsAt: '2026-01-05T12:00:00Z' })
    expect(await reason()).toBe('ended')
    await patch(id, { endsAt: null })
    expect(await reason()).toBe('no_active_listing')
    await api.listings(merchantId, ...listings)
    expect(await reason()).toBe('wallet_empty')
    await fund(merchantId)
    expect(await reason()).toBeNull()
    await spend(id, merchantId, 'total', 100_000_000n)
    expect(await reason()).toBe('budget_total_spent')
    await patch(id, { budget: { daily: '10', total: null } })
    await spend(id, merchantId, '2026-01-05', 10_000_000n)
    expect(await reason()).toBe('budget_day_spent')
    await patch(id, { budget: { daily: '10.000001' } })
    expect(await reason()).toBeNull()
    api.now += 3_600_000
    expect(await reason()).toBe('outside_dayparts')
    await act(id, 'pause')
    expect(await reason()).toBe('paused')
    await act(id, 'archive')
    expect(await reason()).toBe('archived')
  })
})

describe('what the operator blocks', () => {
  it('200: is why a campaign is not serving, in the list, by its id and with its budget, until it is allowed again', async () => {
    api.now = Date.parse('2026-01-05T12:00:00Z')
    const owner = await shop()
    const { merchantId, listings } = owner
    await api.call(api.operator, 'PUT', '/v1/listings', {
      items: listings.map((id, index) =>
        listingItem(id, merchantId, {
          categories: index === 0 ? ['shoes/running'] : ['shoes/trail', 'sale'],
        }),
      ),
    })
    await fund(merchantId)
    const { id } = (await create(bodyFor(owner, { status: 'active' }))).body
    const rules = (body: object) => api.call(api.operator, 'PUT', '/v1/rules', body)
    const reasons = async () => {
      const key = await api.key(`merchant:${merchantId}`)
      const list = await api.call<{ items: Campaign[] }>(key, 'GET', '/v1/campaigns')
      const budget = await api.call<Campaign>(key, 'GET', `/v1/campaigns/${id}/budget`)
      return [list.body.items[0]!.notServing, (await get(id)).notServing, budget.body.notServing]
    }
    for (const [body, reason] of [
      [{ blocked: { merchants: [merchantId] } }, 'merchant_blocked'],
      [{ blocked: { merchants: ['mer_other'] } }, null],
      [{ blocked: { categories: ['shoes'] } }, 'category_blocked'],
      [{ blocked: { categories: ['shoes/running', 'sale'] } }, 'category_blocked'],
      [{ blocked: { categories: ['shoes/running'] } }, null],
      [{ reserve: '1000', reserveCpm: '1000' }, 'bid_below_reserve'],
      [{}, null],
    ] as const) {
      expect((await rules(body)).status).toBe(200)
      expect(await reasons(), JSON.stringify(body)).toEqual([reason, reason, reason])
    }
  })
})

describe('PATCH /v1/campaigns/{id}', () => {
  it('200: changes what is given only, and announces each change once', async () => {
    const owner = await shop()
    const before = (await create(bodyFor(owner, { targetRoas: 3, targeting: { categories: ['a'] } }))).body
    const after = (await patch(before.id, { bid: '1.25', budget: { total: '50' }, targetRoas: null })).body
    expect(after).toEqual({
      ...before,
      bid: '1.25',
      budget: { daily: '10', weekly: null, monthly: null, total: '50' },
      targetRoas: null,
      updatedAt: after.updatedAt,
    })
    expect(
      (await patch(before.id, { bid: '1.250', name: 'Winter', listings: [...owner.listings].reverse() }))
        .status,
    ).toBe(200)
    expect((await announced(before.id)).map((state) => [state.version, state.bidMicros])).toEqual([
      [1, '750000'],
      [2, '1250000'],
    ])
  })

  it('200: changes the limits that it names, null takes one away, and what GET gave can be sent back', async () => {
    const { id, budget } = (await create(bodyFor(await shop()))).body
    expect(budget).toEqual({ daily: '10', weekly: null, monthly: null, total: '100' })
    expect((await patch(id, { budget: { weekly: '60' } })).body.budget).toEqual({ ...budget, weekly: '60' })
    expect((await patch(id, { budget: { ...budget, total: '200' } })).body.budget).toEqual({
      ...budget,
      total: '200',
    })
    expect((await patch(id, { budget: { daily: null } })).body.budget).toEqual({
      daily: null,
      weekly: null,
      monthly: null,
      total: '200',
    })
    // Limits that are not named are held against those that are.
    expect((await patch(id, { budget: { daily: '201' } })).status).toBe(422)
  })

  it('200: changes the fields of targeting that it names, null empties one, and what GET gave can be sent back', async () => {
    const keywords = [{ text: 'red shoes', match: 'exact', negative: false }]
    const locations = [{ lat: 52.5, lng: 13.4, radiusKm: 5 }]
    const all = {
      keywords,
      categories: ['shoes'],
      locations,
      items: ['L1'],
      devices: ['mobile'],
      listingRadiusKm: 3,
    }
    const { id, targeting } = (await create(bodyFor(await shop(), { targeting: all }))).body
    expect(targeting).toEqual(all)
    const changed = async (fields: object) => {
      const { status, body } = await patch(id, { targeting: fields })
      expect(status, JSON.stringify(fields)).toBe(200)
      return body.targeting
    }
    expect(await changed({})).toEqual(all)
    expect(await changed({ categories: ['boots', 'boots'] })).toEqual({ ...all, categories: ['boots'] })
    expect(await changed(targeting)).toEqual(all)
    const empty = {
      keywords: [],
      categories: [],
      locations: [],
      items: [],
      devices: [],
      listingRadiusKm: null,
    }
    let expected = targeting
    for (const [field, none] of Object.entries(empty)) {
      expected = { ...expected, [field]: none }
      expect(await changed({ [field]: null })).toEqual(expected)
    }
    expect(expected).toEqual(empty)
    expect((await announced(id)).at(-1)!.targeting).toEqual(empty)
  })

  it("200: a listing taken out and put back keeps its ad's id", async () => {
    const owner = await shop()
    const [one, two] = owner.listings as [string, string]
    const { id, ads } = (await create(bodyFor(owner))).body
    expect((await patch(id, { listings: [two] })).body.ads).toEqual([ads[1]])
    expect((await announced(id)).at(-1)!.ads).toEqual([ads[1]])
    expect((await patch(id, { listings: [one, two] })).body.ads).toEqual(ads)
  })

  it('422: refuses a change that makes the whole campaign wrong', async () => {
    const owner = await shop()
    const { id } = (await create(bodyFor(owner, { startsAt: '2026-02-01T00:00:00Z' }))).body
    for (const [change, path] of [
      [{ endsAt: '2026-01-31T00:00:00Z' }, '/endsAt'],
      [{ listings: [(await shop()).listings[0]] }, '/listings/0'],
      [{ pricing: 'cpm' }, '/pricing'],
      [{ merchantId: owner.merchantId }, '/merchantId'],
    ] as const) {
      expect(await patch(id, change)).toMatchObject({ status: 422, body: { errors: [{ path }] } })
    }
    expect(await announced(id)).toHaveLength(1)
  })

  it('200: changes made at the same time are all kept, each with a version of its own', async () => {
    const { id } = (await create(bodyFor(await shop()))).body
    const changes = [
      { bid: '2' },
      { name: 'Spring' },
      { targetRoas: 5 },
      { pacing: 'asap' },
      { placements: ['home'] },
    ]
    await Promise.all(changes.map((change) => patch(id, change)))
    expect(await get(id)).toMatchObject({
      bid: '2',
      name: 'Spring',
      targetRoas: 5,
      pacing: 'asap',
      placements: ['home'],
    })
    expect((await announced(id)).map((state) => state.version)).toEqual([1, 2, 3, 4, 5, 6])
  })
})

describe('POST /v1/campaigns/{id}/{activate,pause,archive}', () => {
  it('200: moves through its states, and says nothing when nothing changes', async () => {
    const { id } = (await create(bodyFor(await shop()))).body
    for (const action of ['activate', 'activate', 'pause', 'pause', 'activate', 'archive', 'archive']) {
      expect((await act(id, action)).status, action).toBe(200)
    }
    expect((await announced(id)).map((state) => state.status)).toEqual([
      'draft',
      'active',
      'paused',
      'active',
      'archived',
    ])
  })

  it('422: a field is refused by its path and changes nothing; an empty body or none is fine', async () => {
    const { id } = (await create(bodyFor(await shop()))).body
    for (const action of ['activate', 'pause', 'archive']) {
      const answer = await api.call<{ errors: unknown }>(
        api.operator,
        'POST',
        `/v1/campaigns/${id}/${action}`,
        { bid: '9' },
      )
      expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: '/bid' }] } })
    }
    expect((await get(id)).status).toBe('draft')
    const url = `/v1/campaigns/${id}/activate`
    const typed = { authorization: `Bearer ${api.operator}`, 'content-type': 'application/json' }
    expect((await api.app.inject({ method: 'POST', url, headers: typed })).statusCode).toBe(200)
    expect((await api.call(api.operator, 'POST', url, {})).status).toBe(200)
    expect((await act(id, 'pause')).status).toBe(200)
  })

  it('409: an archived campaign stays archived and unchanged; a draft has nothing to pause', async () => {
    const { id } = (await create(bodyFor(await shop()))).body
    expect(await act(id, 'pause')).toMatchObject({ status: 409, body: { code: 'conflict' } })
    await act(id, 'archive')
    for (const action of ['activate', 'pause']) expect((await act(id, action)).status).toBe(409)
    expect((await patch(id, { name: 'Back' })).status).toBe(409)
    expect(await get(id)).toMatchObject({ status: 'archived', name: 'Winter' })
  })
})

it('a charged wallet shows in the balance that decides whether campaigns serve', async () => {
  const owner = await shop()
  const { id } = (await create(bodyFor(owner, { status: 'active' }))).body
  await fund(owner.merchantId, '1')
  expect((await get(id)).notServing).toBeNull()
  const { merchantId } = owner
  const now = new Date(api.now)
  await api.postgres.transaction((tx) =>
    postLedger(
      tx,
      [
        {
          transactionId: 'chg_x',
          kind: 'charge',
          currency: 'EUR',
          occurredAt: now,
          reference: 'chg_x',
          entries: [
            { account: { kind: 'wallet', merchantId, currency: 'EUR' }, amountMicros: -1_000_000n },
            { account: { kind: 'revenue', currency: 'EUR' }, amountMicros: 1_000_000n },
          ],
        },
      ],
      now,
    ),
  )
  expect((await get(id)).notServing).toBe('wallet_empty')
})
