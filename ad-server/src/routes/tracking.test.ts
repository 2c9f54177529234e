import {
  type InteractionEvent,
  interactionEvent,
  PAGE_RANDOM_BYTES,
  type SlotToken,
  TOPICS,
} from '@endcap/contracts'
import { createDirectSink } from '@endcap/platform/event-log'
import { badInputBattery } from '@endcap/platform/http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AdServerHarness,
  breakableSink,
  KEYS,
  listingChange,
  NOW_MS,
  rankBodyOf,
  sealer,
  startAdServer,
} from '../test-support/ad-server-harness.js'

let ads: AdServerHarness
const sink = breakableSink(() => createDirectSink(ads.log))
beforeAll(async () => {
  ads = await startAdServer({ sink })
})
afterAll(() => ads.close())

interface Slot {
  readonly token: string
  readonly clickUrl: string
  readonly impressionUrl: string
}
const slotsOf = async (over: Record<string, unknown> = {}): Promise<Slot[]> =>
  (await ads.post('/v1/rank', rankBodyOf(over))).json().slots
const recorded = () => ads.events<InteractionEvent>(TOPICS.interactions)
const pathOf = (url: string) => new URL(url).pathname
const forge = (over: Partial<SlotToken>) => {
  const token: SlotToken = {
    auctionId: 'auc_x',
    position: 1,
    placement: 'search',
    searchTerm: '',
    device: 'other',
    modelVersion: '',
    listingId: 'S1',
    merchantId: 'm1',
    sponsored: true,
    campaignId: 'cmp_1',
    adId: 'ad_1',
    pricing: 'cpc',
    priceMicros: 1n,
    currency: 'EUR',
    issuedAtMs: NOW_MS,
    expiresAtMs: NOW_MS + 1000,
    ...over,
  }
  return sealer.seal(token, Buffer.alloc(PAGE_RANDOM_BYTES, 1))
}

describe('GET /t/i/{token}', () => {
  it('200: a GIF of 43 bytes, never cached; the impression is durable and knows its customer by hash', async () => {
    const [slot] = await slotsOf()
    const answer = await ads.get(pathOf(slot!.impressionUrl), { 'user-agent': 'Browser/1' })
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toBe('image/gif')
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.rawPayload).toHaveLength(43)
    const event = interactionEvent.parse((await recorded()).at(-1))
    expect(event).toMatchObject({
      type: 'impression',
      key: 'm1',
      data: {
        token: slot!.token,
        campaignId: 'cmp_1',
        channel: 'browser',
        client: { userAgent: 'Browser/1' },
      },
    })
    expect(event.data.customerHash).toMatch(/^[\w-]{22}$/)
    expect(event.data.client.addressHash).toMatch(/^[\w-]{22}$/)
  })
  it('keeps neither customer nor address of someone who refused', async () => {
    const [slot] = await slotsOf({ customer: { id: 'c-1', consent: false } })
    await ads.get(pathOf(slot!.impressionUrl))
    expect((await recorded()).at(-1)!.data).toMatchObject({ customerHash: '', client: { addressHash: '' } })
  })
  it('404 for forged, truncated and foreign tokens, recording nothing', async () => {
    const [slot] = await slotsOf()
    const before = (await recorded()).length
    for (const token of [
      slot!.token.slice(0, -1),
      `${slot!.token}A`,
      'x',
      'x'.repeat(300),
      '%00',
      '..%2F..',
      'é',
      '%F0%9F%92%A9',
      '%zz',
      '%',
      '%ff',
      `${slot!.token}%`,
    ]) {
      for (const path of [`/t/i/${token}`, `/t/c/${token}`, `/t/c/${token}?x=%zz`]) {
        const answer = await ads.get(path)
        expect(answer.statusCode, path).toBe(404)
        expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
        const { requestId, ...problem } = answer.json()
        expect(requestId).toBe(answer.headers['x-request-id'])
        expect(problem).toEqual({
          type: 'urn:endcap:error:not_found',
          title: 'There is no such thing here',
          status: 404,
          code: 'not_found',
          detail: 'There is no such slot.',
          errors: [],
        })
        expect((await ads.app.inject({ method: 'HEAD', url: path })).statusCode, path).toBe(404)
      }
    }
    expect(await recorded()).toHaveLength(before)
  })
})

it('pixels and redirects are never limited, however many come from one address; other calls are', async () => {
  const limited = await startAdServer({}, { rateLimit: { max: 3, windowMs: 60_000 } })
  try {
    const page = (await limited.post('/v1/rank', rankBodyOf())).json<{ slots: Slot[] }>()
    const [slot] = page.slots
    for (let time = 0; time < 10; time++) {
      expect((await limited.get(pathOf(slot!.impressionUrl))).statusCode).toBe(200)
      expect((await limited.get(pathOf(slot!.clickUrl))).statusCode).toBe(302)
    }
    const statuses = []
    for (let time = 0; time < 3; time++)
      statuses.push((await limited.post('/v1/rank', rankBodyOf())).statusCode)
    expect(statuses).toEqual([200, 200, 429])
  } finally {
    await limited.close()
  }
})

it('the documentation shows what an item must be, and what redirects and pixels answer', async () => {
  const { paths } = (await ads.get('/openapi.json')).json()
  const itemOf = (path: string, list: string) =>
    paths[path].post.requestBody.content['application/json'].schema.properties[list].items
  expect(itemOf('/v1/events', 'events').required).toEqual(['id', 'type', 'occurredAt', 'token'])
  expect(itemOf('/v1/auctions', 'auctions').required).toEqual(['placement', 'slots'])
  expect(Object.keys(paths['/t/c/{token}'].get.responses)).toEqual(['302', '404', 'default'])
  expect(paths['/t/i/{token}'].get.responses['200'].content).toHaveProperty('image/gif')
  expect(paths['/t/i/{token}'].get.responses['404'].content).toHaveProperty('application/problem+json')
})

describe('a token', () => {
  it('is shorter than every route takes, whatever the query and the ids; the term in it is whole characters', async () => {
    const id = '靴'.repeat(128)
    for (const query of ['\ufdfa'.repeat(500), 'a'.concat('\u{20000}'.repeat(249)), '靴'.repeat(500)]) {
      const [slot] = await slotsOf({
        query,
        organic: [{ listingId: id, score: 1 }],
        slots: { total: 1, sponsored: [] },
        customer: { id },
      })
      expect(slot!.token.length).toBeLessThan(4096)
      const opened = sealer.open(slot!.token)
      if (!opened.ok) throw new Error(opened.reason)
      expect(opened.token.listingId).toBe(id)
      expect(opened.token.searchTerm.length).toBeGreaterThan(190)
      expect(opened.token.searchTerm.length).toBeLessThanOrEqual(200)
      expect(opened.token.searchTerm).not.toMatch(/\p{Cs}/u)
    }
    const [ad] = await slotsOf({ query: `red shoes ${'\ufdfa'.repeat(490)}` })
    expect(ad!.clickUrl.length).toBeLessThan(8192)
    expect((await ads.get(pathOf(ad!.impressionUrl))).statusCode).toBe(200)
    expect((await ads.get(pathOf(ad!.clickUrl))).statusCode).toBe(302)
  })
})

describe('GET /t/c/{token}', () => {
  it('302 to the listing’s own address, whatever the request says; the click is durable', async () => {
    const [slot] = await slotsOf()
    const answer = await ads.get(
      `${pathOf(slot!.clickUrl)}?to=https://evil.example&url=https://evil.example`,
      { 'sec-purpose': 'prefetch' },
    )
    expect(answer.statusCode).toBe(302)
    expect(answer.headers.location).toBe('https://shop.example/p/S1?a=1')
    expect((await recorded()).at(-1)).toMatchObject({
      type: 'click',
      data: { token: slot!.token, client: { prefetch: true } },
    })
  })
  it('still redirects when the listing has become inactive, in other scripts too; 404 when it is unknown', async () => {
    const [slot] = await slotsOf()
    await ads.change(
      listingChange('S1', 'm1', { status: 'inactive', url: 'https://shop.example/p/Schuh-größe?q=靴' }),
    )
    expect((await ads.get(pathOf(slot!.clickUrl))).headers.location).toBe(
      'https://shop.example/p/Schuh-gr%C3%B6%C3%9Fe?q=%E9%9D%B4',
    )
    await ads.change(listingChange('S1', 'm1'))
    expect((await ads.get(`/t/c/${forge({ listingId: 'nobody' })}`)).statusCode).toBe(404)
  })
  it('redirects with an expired token, and records it for its verdict where the slot was sold', async () => {
    const before = (await recorded()).length
    const expired = { expiresAtMs: ads.now - 1 }
    expect((await ads.get(`/t/c/${forge({ ...expired, sponsored: false })}`)).statusCode).toBe(302)
    expect(await recorded()).toHaveLength(before)
    expect((await ads.get(`/t/c/${forge({ ...expired, sponsored: true })}`)).statusCode).toBe(302)
    expect((await recorded()).slice(before)).toMatchObject([{ type: 'click', data: { sponsored: true } }])
  })
  it('redirects, and shows the pixel, when nothing can be recorded; the loss is counted', async () => {
    const [slot] = await slotsOf()
    sink.broken = true
    expect((await ads.get(pathOf(slot!.clickUrl))).statusCode).toBe(302)
    expect((await ads.get(pathOf(slot!.impressionUrl))).statusCode).toBe(200)
    sink.broken = false
    const metrics = (await ads.get('/metrics', { authorization: `Bearer ${KEYS.operator}` })).body
    expect(metrics).toMatch(/endcap_interactions_lost_total\{[^}]*type="click"[^}]*\} 1/)
    expect(metrics).toMatch(/endcap_interactions_lost_total\{[^}]*type="impression"[^}]*\} 1/)
  })
  it('answers HEAD as GET, and does not count it', async () => {
    const [slot] = await slotsOf()
    const before = (await recorded()).length
    const head = await ads.app.inject({ method: 'HEAD', url: pathOf(slot!.clickUrl) })
    expect(head.statusCode).toBe(302)
    expect(head.headers.location).toBe((await ads.get(pathOf(slot!.clickUrl))).headers.location)
    expect((await ads.app.inject({ method: 'HEAD', url: pathOf(slot!.impressionUrl) })).statusCode).toBe(200)
    expect(await recorded()).toHaveLength(before + 1)
  })
  it('404: HEAD of a bad token', async () => {
    const before = (await recorded()).length
    expect((await ads.app.inject({ method: 'HEAD', url: '/t/c/forged' })).statusCode).toBe(404)
    expect(await recorded()).toHaveLength(before)
  })
})

describe('POST /v1/events', () => {
  const event = (token: string, over: Record<string, unknown> = {}) => ({
    id: 'e-1',
    type: 'impression',
    occurredAt: new Date(ads.now).toISOString(),
    token,
    ...over,
  })
  const send = (events: unknown[], key = KEYS.events) => ads.post('/v1/events', { events }, key)

  it('202: durable, under an id that belongs to the key', async () => {
    const [slot] = await slotsOf()
    const answer = await send([
      event(slot!.token, {
        id: 'a',
        customer: { id: 'jo@shop.example' },
        client: { address: '10.0.0.1', userAgent: 'App/2' },
      }),
      event(slot!.token, { id: 'b', type: 'click' }),
    ])
    expect(answer.statusCode).toBe(202)
    expect(answer.json()).toEqual({ accepted: 2, duplicates: 0, rejected: [] })
    const all = await recorded()
    expect(all.find(({ id }) => id === 'key_e:a@2026-01-05T12')).toMatchObject({
      type: 'impression',
      source: 'ad-server',
      data: { channel: 'api', client: { userAgent: 'App/2' } },
    })
    expect(JSON.stringify(all)).not.toMatch(/10\.0\.0\.1|jo@shop/)
  })
  it('counts repeats, in one call and later, and records them once; another shop’s same id is another event', async () => {
    const [slot] = await slotsOf()
    expect((await send([event(slot!.token, { id: 'r' }), event(slot!.token, { id: 'r' })])).json()).toEqual({
      accepted: 1,
      duplicates: 1,
      rejected: [],
    })
    expect((await send([event(slot!.token, { id: 'r' })])).json()).toEqual({
      accepted: 0,
      duplicates: 1,
      rejected: [],
    })
    expect((await send([event(slot!.token, { id: 'r' })], KEYS.events2)).json().accepted).toBe(1)
    const ids = (await recorded()).map(({ id }) => id).filter((id) => id.includes(':r@'))
    expect(ids.sort()).toEqual(['key_e2:r@2026-01-05T12', 'key_e:r@2026-01-05T12'])
  })
  it('an id stands for what it first came with: other content is a conflict, in one call and later', async () => {
    const [slot] = await slotsOf()
    const { token } = slot!
    const first = event(token, { id: 'said', customer: { id: 'c', consent: true } })
    const other = { ...first, type: 'click' }
    const conflictAt = (index: number) => ({
      index,
      code: 'event_conflict',
      path: `/events/${index}/id`,
      message: 'was used for an event with other content, which stays as it is',
    })
    expect((await send([first, other, { ...first }])).json()).toEqual({
      accepted: 1,
      duplicates: 1,
      rejected: [conflictAt(1)],
    })
    const sameTime = first.occurredAt.replace('Z', '+00:00')
    const reordered = { customer: { consent: true, id: 'c' }, ...first, occurredAt: sameTime }
    expect((await send([other, { ...first, id: 'new' }])).json()).toEqual({
      accepted: 1,
      duplicates: 0,
      rejected: [conflictAt(0)],
    })
    expect((await send([reordered])).json()).toEqual({ accepted: 0, duplicates: 1, rejected: [] })
    for (const changed of [
      { occurredAt: new Date(ads.now - 1).toISOString() },
      { customer: { id: 'd', consent: true } },
      { customer: { id: 'c' } },
      { client: { userAgent: 'x' } },
      { token: (await slotsOf())[0]!.token },
    ]) {
      expect((await send([{ ...first, ...changed }])).json().rejected).toEqual([conflictAt(0)])
    }
    const said = (await recorded()).filter(({ id }) => id.startsWith('key_e:said@'))
    expect(said.map(({ type }) => type)).toEqual(['impression'])
  })
  it('takes what a clock dates a little ahead at its word: it is the same event whenever it comes', async () => {
    const [slot] = await slotsOf()
    const at = (ms: number) => new Date(ads.now + ms).toISOString()
    const sent = [
      event(slot!.token, { id: 'early', occurredAt: at(-60_000) }),
      event(slot!.token, { id: 'seen', occurredAt: at(220_000) }),
      event(slot!.token, { id: 'clicked', type: 'click', occurredAt: at(240_000) }),
      event(slot!.token, { id: 'tomorrow', type: 'click', occurredAt: at(301_000) }),
    ]
    expect((await send(sent)).json()).toMatchObject({ accepted: 3, rejected: [{ index: 3 }] })
    expect((await send(sent.slice(0, 3))).json()).toMatchObject({ accepted: 0, duplicates: 3 })
    const all = await recorded()
    const occurredAt = (id: string) => all.find((one) => one.id.startsWith(`key_e:${id}@`))!.occurredAt
    expect(['early', 'seen', 'clicked'].map(occurredAt)).toEqual([at(-60_000), at(220_000), at(240_000)])
  })
  it('knows what was dated into the next hour again when it is sent in that hour and nobody remembers it', async () => {
    const [slot] = await slotsOf()
    const hourMs = 3_600_000
    const nextHour = (Math.floor(ads.now / hourMs) + 1) * hourMs
    ads.now = nextHour - 60_000
    const ahead = event(slot!.token, { id: 'ahead', occurredAt: new Date(nextHour + 1000).toISOString() })
    expect((await send([ahead])).json().accepted).toBe(1)
    ads.now += 25 * hourMs
    expect((await send([ahead])).json().accepted).toBe(1)
    const ids = (await recorded()).map(({ id }) => id).filter((id) => id.includes(':ahead@'))
    expect(ids).toHaveLength(2)
    expect(new Set(ids).size).toBe(1)
    await ads.publishBudgets()
  })
  it('makes another event of an id that is used again when nobody remembers it, but for the same one', async () => {
    const [slot] = await slotsOf()
    const first = event(slot!.token, { id: 'again' })
    expect((await send([first])).json().accepted).toBe(1)
    ads.now += 25 * 3_600_000
    await ads.publishBudgets()
    const [later] = await slotsOf()
    expect((await send([first])).json().accepted).toBe(1)
    expect((await send([event(later!.token, { id: 'again' })])).json().rejected).toHaveLength(1)
    ads.now += 25 * 3_600_000
    await ads.publishBudgets()
    const [last] = await slotsOf()
    const again = event(last!.token, { id: 'again' })
    expect((await send([again])).json().accepted).toBe(1)
    const ids = (await recorded()).map(({ id }) => id).filter((id) => id.includes(':again@'))
    const hourOf = (at: unknown) => String(at).slice(0, 13)
    expect(ids).toEqual([
      `key_e:again@${hourOf(first.occurredAt)}`,
      `key_e:again@${hourOf(first.occurredAt)}`,
      `key_e:again@${hourOf(again.occurredAt)}`,
    ])
  })
  it('lets exactly one of two contents of an id win when both come at once', async () => {
    const [slot] = await slotsOf()
    const both = [0, 1].map((n) => event(slot!.token, { id: 'race', customer: { id: `c-${n}` } }))
    const answers = await Promise.all(both.map(async (one) => (await send([one])).json()))
    expect(answers.map(({ accepted }) => accepted).sort()).toEqual([0, 1])
    expect(answers.flatMap(({ rejected }) => rejected.map((r: { code: string }) => r.code))).toEqual([
      'event_conflict',
    ])
  })
  it('gives an id to other content a minute after a call that could not be kept', async () => {
    const [slot] = await slotsOf()
    sink.broken = true
    expect((await send([event(slot!.token, { id: 'lost' })])).statusCode).toBe(503)
    sink.broken = false
    const other = event(slot!.token, { id: 'lost', type: 'click' })
    expect((await send([other])).json().rejected).toMatchObject([{ code: 'event_conflict' }])
    ads.now += 61_000
    expect((await send([other])).json().accepted).toBe(1)
    ads.now -= 61_000
  })
  it('takes clocks that are five minutes ahead, and none further', async () => {
    const [slot] = await slotsOf()
    const ahead = (id: string, ms: number) =>
      event(slot!.token, { id, occurredAt: new Date(ads.now + ms).toISOString() })
    const answer = (await send([ahead('ahead', 300_000), ahead('too far', 300_001)])).json()
    expect(answer).toMatchObject({ accepted: 1, rejected: [{ index: 1, code: 'occurred_at_invalid' }] })
  })
  it('keeps ids of 128 characters apart and within 128 characters', async () => {
    const [slot] = await slotsOf()
    const long = 'x'.repeat(127)
    expect(
      (await send([event(slot!.token, { id: `${long}1` }), event(slot!.token, { id: `${long}2` })])).json()
        .accepted,
    ).toBe(2)
    for (const { id } of await recorded()) expect(id.length).toBeLessThanOrEqual(128)
  })
  it('rejects bad events alone, each with its code and field', async () => {
    const [slot] = await slotsOf()
    const { token } = slot!
    const answer = await send([
      event(token, { id: 'ok' }),
      event(token, { id: 'p', price: '0' }),
      event(token, { id: 't', type: 'purchase' }),
      event(`${token.slice(0, -4)}AAAA`, { id: 'f' }),
      event(forge({ expiresAtMs: ads.now - 1 }), { id: 'x' }),
      event(token, { id: 'future', occurredAt: new Date(ads.now + 600_000).toISOString() }),
      event(token, { id: 'past', occurredAt: new Date(ads.now - 600_000).toISOString() }),
      null,
      event(token, { id: 'nul\u0000' }),
      event(token, { id: 'half', client: { userAgent: '\ud83d' } }),
      event(token, { id: 'nowhere', client: { address: 'nope' } }),
      event(token, { id: 'constructed', constructor: { prototype: {} } }),
      event(token, { id: 'surprise', '\u0000': 1 }),
    ])
    expect(answer.statusCode).toBe(202)
    const { accepted, rejected } = answer.json()
    expect(accepted).toBe(1)
    expect(
      rejected.map((r: { index: number; code: string; path: string }) => [r.index, r.code, r.path]),
    ).toEqual([
      [1, 'validation_failed', '/events/1/price'],
      [2, 'validation_failed', '/events/2/type'],
      [3, 'token_invalid', '/events/3/token'],
      [4, 'token_expired', '/events/4/token'],
      [5, 'occurred_at_invalid', '/events/5/occurredAt'],
      [6, 'occurred_at_invalid', '/events/6/occurredAt'],
      [7, 'validation_failed', '/events/7'],
      [8, 'validation_failed', '/events/8/id'],
      [9, 'validation_failed', '/events/9/client/userAgent'],
      [10, 'validation_failed', '/events/10/client/address'],
      [11, 'validation_failed', '/events/11/constructor'],
      [12, 'validation_failed', '/events/12/\u0000'],
    ])
  })
  it('takes addresses of both kinds', async () => {
    const [slot] = await slotsOf()
    const answer = await send(
      ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1'].map((address) =>
        event(slot!.token, { id: address, client: { address } }),
      ),
    )
    expect(answer.json()).toEqual({ accepted: 3, duplicates: 0, rejected: [] })
  })
  it('503 when events cannot be kept; the same call succeeds later and loses nothing', async () => {
    const [slot] = await slotsOf()
    sink.broken = true
    const refused = await send([event(slot!.token, { id: 'later' })])
    sink.broken = false
    expect(refused.statusCode).toBe(503)
    expect(refused.json().code).toBe('unavailable')
    expect((await send([event(slot!.token, { id: 'later' })])).json()).toEqual({
      accepted: 1,
      duplicates: 0,
      rejected: [],
    })
  })
  it('401, 403 and 422; bad input never gives a 5xx', async () => {
    const [slot] = await slotsOf()
    expect((await send([event(slot!.token)], 'ek_none')).statusCode).toBe(401)
    expect((await send([event(slot!.token)], KEYS.serve)).statusCode).toBe(403)
    expect((await send([])).statusCode).toBe(422)
    await badInputBattery(ads.app, {
      method: 'POST',
      url: '/v1/events',
      validBody: { events: [event(slot!.token)] },
      key: KEYS.events,
      wrongScopeKey: KEYS.serve,
      lenient: ['/events/0'],
    })
  })
})
