import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, listingItem, startHarness } from '../testing/harness.js'

let api: Harness
beforeAll(async () => {
  api = await startHarness()
})
afterAll(() => api.stop())

interface Results {
  results: { id: string; status: string; errors?: { path: string; message: string }[] }[]
}
const put = (items: readonly unknown[], key = api.operator) =>
  api.call<Results>(key, 'PUT', '/v1/listings', { items })
const statuses = async (items: readonly unknown[], key = api.operator) =>
  (await put(items, key)).body.results.map((result) => result.status)
const announced = async (id: string) =>
  (await api.changes()).filter((change) => change.kind === 'listing' && change.id === id)

it('the documentation shows what a listing must be', async () => {
  const { paths } = (await api.app.inject('/openapi.json')).json()
  const { schema } = paths['/v1/listings'].put.requestBody.content['application/json']
  expect(schema.properties.items.items.properties).toMatchObject({
    title: { maxLength: 500 },
    attributes: { type: 'object' },
  })
})

describe('PUT /v1/listings', () => {
  it('an item with text that cannot be stored, or a hostile name, is rejected alone with its path', async () => {
    const merchantId = await api.merchant()
    const item = (id: string, extra: Record<string, unknown>) => listingItem(id, merchantId, extra)
    const { status, body } = await put([
      item('fit', {}),
      item('nul', { title: 'a\u0000' }),
      item('half', { title: '\ud83d' }),
      item('id-\u0000', {}),
      item('value', { attributes: { a: '\ud83d' } }),
      item('name', { attributes: { '\u0000': 'a' } }),
      item('constructor', { attributes: { constructor: { prototype: {} } } }),
      item('proto', { attributes: JSON.parse('{"__proto__":{"x":1}}') }),
      item('category', { categories: ['\u0000'] }),
      item('also-fit', {}),
    ])
    expect(status).toBe(200)
    expect(body.results.map((result) => result.errors?.[0]?.path ?? result.status)).toEqual([
      'created',
      '/items/1/title',
      '/items/2/title',
      '/items/3/id',
      '/items/4/attributes/a',
      '/items/5/attributes/\u0000',
      '/items/6/attributes/constructor',
      '/items/7/attributes/__proto__',
      '/items/8/categories/0',
      'created',
    ])
  })

  it('200: an item is created, then unchanged, then updated, and announced only when it changed', async () => {
    const merchantId = await api.merchant()
    const item = listingItem('life', merchantId, {
      attributes: { size: 42, colour: 'red' },
      location: { lat: 52.5, lng: 13.4 },
    })
    expect(await statuses([item])).toEqual(['created'])
    expect(await statuses([{ ...item, attributes: { colour: 'red', size: 42 }, price: '40' }])).toEqual([
      'unchanged',
    ])
    expect(await statuses([{ ...item, price: '39.99' }])).toEqual(['updated'])
    expect(
      (await announced('life')).map(({ state }) => [
        state.version,
        'priceMicros' in state && state.priceMicros,
      ]),
    ).toEqual([
      [1, '40000000'],
      [2, '39990000'],
    ])
    const { body } = await api.call(api.operator, 'GET', '/v1/listings/life')
    expect(body).toMatchObject({
      merchantId,
      price: '39.99',
      attributes: { colour: 'red', size: 42 },
      location: { lat: 52.5, lng: 13.4 },
      status: 'active',
    })
  })

  it('200: a bad item is rejected with its path and stops no other', async () => {
    const merchantId = await api.merchant()
    const { body } = await put([
      listingItem('alone-1', merchantId),
      listingItem('alone-2', merchantId, { price: '-1' }),
      listingItem('alone-3', 'mer_none'),
      listingItem('alone-4', merchantId, { currency: 'USD' }),
      listingItem('alone-1', merchantId, { title: 'Again' }),
      listingItem('alone-6', merchantId, { url: 'javascript:alert(1)' }),
      listingItem('alone-7', merchantId, { surprise: 1 }),
      'not a listing',
      listingItem('alone-9', merchantId),
    ])
    expect(body.results.map(({ id, status, errors }) => [id, status, errors?.[0]?.path])).toEqual([
      ['alone-1', 'created', undefined],
      ['alone-2', 'rejected', '/items/1/price'],
      ['alone-3', 'rejected', '/items/2/merchantId'],
      ['alone-4', 'rejected', '/items/3/currency'],
      ['alone-1', 'rejected', '/items/4/id'],
      ['alone-6', 'rejected', '/items/5/url'],
      ['alone-7', 'rejected', '/items/6/surprise'],
      ['', 'rejected', '/items/7'],
      ['alone-9', 'created', undefined],
    ])
    expect((await api.call(api.operator, 'GET', '/v1/listings/alone-1')).body).toMatchObject({
      title: 'Title of alone-1',
    })
    expect((await api.call(api.operator, 'GET', '/v1/listings/alone-2')).status).toBe(404)
  })

  it('200: an address that browsers and other readers might take for different places is rejected', async () => {
    const merchantId = await api.merchant()
    const tidy = [
      'https://shop.example',
      'HTTPS://Shop.example:8443/a?b=c#d',
      'http://localhost/@a/b@c',
      'https://[2001:db8::1]/',
      'https://größe.example/靴?q=é',
      `https://shop.example/${'é'.repeat(600)}`,
    ]
    const odd = [
      'javascript:alert(1)',
      'JAVASCRIPT://shop.example/%0aalert(1)',
      'data:text/html,x',
      'ftp://shop.example/',
      'blob:https://shop.example/x',
      '//shop.example/',
      '/p/1',
      'shop.example',
      'https:shop.example',
      'https:/shop.example',
      'https:///shop.example',
      'https:\\\\shop.example',
      'https://shop.example\\@evil.example/',
      'https://shop.example/a\\b',
      'https://user:password@shop.example/',
      'https://@shop.example/',
      'https://:@shop.example/',
      'https://shop.example/a b',
      'https://shop.example/\r\nset-cookie: a=b',
      'https://shop.example/\u2028',
      ' https://shop.example/',
      'https://shop.example:99999/',
      'https://',
      'https://?a',
      `https://shop.example/${'a'.repeat(2048)}`,
      `https://shop.example/${'靴'.repeat(600)}`,
    ]
    const { body } = await put(
      [...tidy, ...odd].map((url, index) => listingItem(`address-${index}`, merchantId, { url })),
    )
    expect(body.results.map(({ status, errors }) => [status, errors?.[0]?.path])).toEqual([
      ...tidy.map(() => ['created', undefined]),
      ...odd.map((_, index) => ['rejected', `/items/${tidy.length + index}/url`]),
    ])
  })

  it('200: attributes beyond 64 KiB are rejected alone: the event log takes no record of any size', async () => {
    const merchantId = await api.merchant()
    /** Attributes of so many bytes as JSON: members of 1,000 bytes each, and a last one with what is left. */
    const attributesOf = (bytes: number) => {
      const names = Array.from({ length: Math.floor(bytes / 1000) - 1 }, (_, index) => `k${index + 100}`)
      const all = Object.fromEntries(names.map((name) => [name, 'é'.repeat(495)]))
      const left = bytes - Buffer.byteLength(JSON.stringify({ ...all, k0: '' }))
      return { ...all, k0: 'v'.repeat(left) }
    }
    const { body } = await put([
      listingItem('fits', merchantId, { attributes: attributesOf(65_536) }),
      listingItem('large', merchantId, { attributes: attributesOf(65_537) }),
    ])
    expect(body.results.map(({ status, errors }) => [status, errors?.[0]?.path])).toEqual([
      ['created', undefined],
      ['rejected', '/items/1/attributes'],
    ])
  })

  it("200: another merchant's listing cannot be taken over, and another merchant cannot be written for", async () => {
    const [owner, thief] = [await api.merchant(), await api.merchant()]
    await api.listings(owner, 'owned')
    const key = await api.key(`merchant:${thief}`)
    const { body } = await put(
      [listingItem('owned', thief, { title: 'Mine now' }), listingItem('planted', owner)],
      key,
    )
    expect(body.results.map(({ status, errors }) => [status, errors?.[0]?.path])).toEqual([
      ['rejected', '/items/0/id'],
      ['rejected', '/items/1/merchantId'],
    ])
    expect((await api.call(api.operator, 'GET', '/v1/listings/owned')).body).toMatchObject({
      merchantId: owner,
      title: 'Title of owned',
    })
    expect((await api.call(key, 'GET', '/v1/listings/owned')).status).toBe(404)
  })

  it('200: two merchants that claim one new id at the same time: one gets it, the other is told', async () => {
    const merchants = await Promise.all(Array.from({ length: 6 }, () => api.merchant()))
    for (const round of ['a', 'b', 'c']) {
      const answers = await Promise.all(
        merchants.map((merchantId) => put([listingItem(`race-${round}`, merchantId)])),
      )
      const outcome = answers.map((answer) => answer.body.results[0]!.status).sort()
      expect(outcome).toEqual(['created', ...merchants.slice(1).map(() => 'rejected')])
      expect(await announced(`race-${round}`)).toHaveLength(1)
    }
  })

  it('200: calls that share listings in opposite orders both end, and every version is announced in order', async () => {
    const merchantId = await api.merchant()
    const ids = Array.from({ length: 40 }, (_, i) => `cross-${i}`)
    const items = (title: string, order: readonly string[]) =>
      order.map((id) => listingItem(id, merchantId, { title }))
    const calls = ['p', 'q', 'r', 's'].map((title, i) => put(items(title, i % 2 ? ids : [...ids].reverse())))
    for (const answer of await Promise.all(calls)) expect(answer.status).toBe(200)
    for (const id of ids.slice(0, 3)) {
      const versions = (await announced(id)).map(({ state }) => state.version)
      expect(versions).toEqual(versions.map((_, i) => i + 1))
    }
  })

  it('200: a thousand items take as many statements as one', async () => {
    const merchantId = await api.merchant()
    const items = Array.from({ length: 1000 }, (_, i) =>
      listingItem(`many-${i}`, merchantId, { title: 'Shoe' }),
    )
    expect(new Set(await statuses(items))).toEqual(new Set(['created']))
    expect(new Set(await statuses(items))).toEqual(new Set(['unchanged']))
    expect((await put([...items, listingItem('one-too-many', merchantId)])).status).toBe(422)
    expect((await put([])).status).toBe(422)
  })

  it('200: an id may be any 128 printable characters, and is found by them', async () => {
    const merchantId = await api.merchant()
    for (const id of ['a/b?c#d%20', '鞋'.repeat(128), 'quote\'"\\', 'x'.repeat(128)]) {
      expect(await statuses([listingItem(id, merchantId, { url: 'https://shop.example/' })])).toEqual([
        'created',
      ])
      expect(await api.call(api.operator, 'GET', `/v1/listings/${encodeURIComponent(id)}`)).toMatchObject({
        status: 200,
        body: { id },
      })
    }
    expect(
      await statuses([listingItem('x'.repeat(129), merchantId), listingItem('line\nend', merchantId)]),
    ).toEqual(['rejected', 'rejected'])
  })
})

describe('GET /v1/listings', () => {
  it('200: pages through the own listings, and filters by status', async () => {
    const merchantId = await api.merchant()
    await api.listings(merchantId, 'page-3', 'page-1', 'page-2')
    await put([listingItem('page-2', merchantId, { status: 'inactive' })])
    const key = await api.key(`merchant:${merchantId}`)
    type Page = { items: { id: string }[]; nextCursor: string | null }
    const first = await api.call<Page>(key, 'GET', '/v1/listings?limit=2')
    const second = await api.call<Page>(key, 'GET', `/v1/listings?limit=2&cursor=${first.body.nextCursor}`)
    expect([first, second].map(({ body }) => body.items.map((item) => item.id))).toEqual([
      ['page-1', 'page-2'],
      ['page-3'],
    ])
    expect(second.body.nextCursor).toBeNull()
    const inactive = await api.call<Page>(
      api.operator,
      'GET',
      `/v1/listings?merchantId=${merchantId}&status=inactive`,
    )
    expect(inactive.body.items.map((item) => item.id)).toEqual(['page-2'])
  })

  it('404: for the listings of somebody else', async () => {
    const key = await api.key(`merchant:${await api.merchant()}`)
    expect((await api.call(key, 'GET', `/v1/listings?merchantId=${await api.merchant()}`)).status).toBe(404)
  })
})
