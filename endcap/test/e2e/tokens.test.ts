import { randomBytes } from 'node:crypto'
import { createTokenSealer, PAGE_RANDOM_BYTES, type RankAnswer, type SlotToken } from '@endcap/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Marketplace, openMarketplace, type RawAnswer } from '../support/marketplace.js'
import { poll } from '../support/processes.js'

const PATIENCE_MS = 60_000
const BROWSER =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'
/** What lone bidders pay: the reserves, which nothing else here amounts to. */
const CLICK_PRICE = '0.123457'
const CPM_PRICE = '3.217654'
const DEAR_PRICE = '4321.123456'
const CLICK_MICROS = 123_457n
const URL_OF = { cpc: 'https://shop.example/p/cpc?a=1', cpm: 'https://shop.example/p/cpm' }
const EVENTS_PER_CALL = 500

type Slot = RankAnswer['slots'][number]
interface Page {
  readonly cpc: Slot
  readonly cpm: Slot
  readonly organic: Slot
}

let market: Marketplace
let serve: string
let events: string
let lastEvent = 0
const merchants: string[] = []
/** Auctions of clicks that are bought only so that billing comes by. */
const bought: string[] = []

beforeAll(async () => {
  market = await openMarketplace({ ENDCAP_RATE_LIMIT: '0', ENDCAP_CLICK_LIMITS: '100000/1m' })
  serve = await market.key('serve')
  events = await market.key('events')
  await market.expect(200, 'PUT', '/v1/rules', { reserve: CLICK_PRICE, reserveCpm: CPM_PRICE })
  for (const pricing of ['cpc', 'cpm'] as const) {
    const merchantId = await market.merchant('100000')
    merchants.push(merchantId)
    await putListing(merchantId, pricing, URL_OF[pricing])
    await market.expect(201, 'POST', '/v1/campaigns', {
      merchantId,
      name: pricing,
      pricing,
      bid: '9000',
      budget: {},
      pacing: 'asap',
      listings: [pricing],
      targeting: { keywords: [{ text: pricing, match: 'broad' }] },
      status: 'active',
    })
  }
  await putListing(merchants[0]!, 'organic', 'https://shop.example/p/organic')
  await poll('both campaigns to be served at their reserves', PATIENCE_MS, async () =>
    (await pricesOf()).join() === [CLICK_PRICE, CPM_PRICE].join() ? true : undefined,
  )
})
afterAll(() => market?.close())

const putListing = (merchantId: string, id: string, url: string) =>
  market.expect(200, 'PUT', '/v1/listings', {
    items: [{ id, merchantId, title: id, url, categories: [], price: '10', currency: 'EUR' }],
  })

/** Each campaign is alone with its word, so that it pays its reserve. */
async function slotOf(word: string, sponsored: boolean): Promise<Slot> {
  const answer = await market.call('POST', '/v1/rank', {
    key: serve,
    body: {
      placement: 'search',
      query: word,
      organic: [{ listingId: 'organic', score: 1 }],
      slots: { total: 2, sponsored: sponsored ? [1] : [] },
    },
  })
  return answer.json<RankAnswer>().slots.find((slot) => slot.sponsored === sponsored)!
}
const openPage = async (): Promise<Page> => ({
  cpc: await slotOf('cpc', true),
  cpm: await slotOf('cpm', true),
  organic: await slotOf('cpc', false),
})

/** What each campaign would pay now, as only operators are told. */
async function pricesOf(): Promise<readonly (string | undefined)[]> {
  const { results } = await market.expect<{ results: { winners: { price?: string }[] }[] }>(
    200,
    'POST',
    '/v1/auctions',
    { auctions: ['cpc', 'cpm'].map((query) => ({ placement: 'search', slots: 1, query })) },
  )
  return results.map(({ winners }) => winners[0]?.price)
}

const visit = (path: string, headers: Record<string, string> = {}) =>
  market.call('GET', path, { headers: { 'user-agent': BROWSER, ...headers } })
const eventOf = (token: string, type: 'impression' | 'viewable' | 'click', inMs = 0) => ({
  id: `e-${++lastEvent}`,
  type,
  occurredAt: new Date(Date.now() + inMs).toISOString(),
  token,
  client: { userAgent: BROWSER },
})

interface Reported {
  readonly accepted: number
  readonly rejected: readonly { readonly code: string; readonly path: string }[]
}
async function report(...batch: readonly unknown[]): Promise<Reported> {
  const answer = await market.call('POST', '/v1/events', { key: events, body: { events: batch } })
  expect(answer.status, answer.text).toBe(202)
  return answer.json<Reported>()
}

interface Row {
  readonly auction: string
  readonly type: string
  readonly outcome: string
  readonly reason: string
  readonly micros: bigint
}
const rowsOf = async (...slots: readonly Slot[]): Promise<readonly Row[]> => {
  const { rows } = await market.host.ports.postgres.query<Row>(
    `select auction_id as auction, interaction_type as type, outcome, reason, amount_micros as micros from charges
     where $1::text[] is null or auction_id = any($1) order by interaction_type, outcome, reason`,
    [slots.length === 0 ? null : slots.map(({ token }) => opened(token).auctionId)],
  )
  return rows
}

const ours = () => createTokenSealer(market.host.secrets.tokenKeys)
function opened(token: string): SlotToken {
  const box = ours().open(token)
  if (!box.ok) throw new Error(box.reason)
  return box.token
}

/** One more click, bought as it should be. Billing reads in order: when it is charged, all that came before has been judged. */
async function settle(): Promise<void> {
  const last = await slotOf('cpc', true)
  bought.push(opened(last.token).auctionId)
  const { accepted } = await report(eventOf(last.token, 'impression', -1000), eventOf(last.token, 'click'))
  expect(accepted).toBe(2)
  await poll('the last click to be charged', PATIENCE_MS, async () =>
    (await rowsOf(last)).some(({ outcome }) => outcome === 'charged') ? true : undefined,
  )
}
/** All verdicts but those on clicks that were bought to settle. */
const newRows = async (): Promise<readonly Row[]> =>
  (await rowsOf()).filter(({ auction }) => !bought.includes(auction))

/** Everything that a token that is not ours could be taken for. */
async function expectRefused(tokens: readonly string[]): Promise<void> {
  for (const token of tokens) {
    for (const kind of ['i', 'c']) {
      const answer = await visit(`/t/${kind}/${encodeURIComponent(token)}`)
      expect([answer.status, answer.headers.location], `/t/${kind}/${token}`).toEqual([404, undefined])
      expect(answer.json()).toMatchObject({ code: 'not_found' })
    }
  }
  const batch = tokens.flatMap((token) =>
    (['impression', 'click'] as const).map((type) => eventOf(token, type)),
  )
  for (let start = 0; start < batch.length; start += EVENTS_PER_CALL) {
    const { accepted, rejected } = await report(...batch.slice(start, start + EVENTS_PER_CALL))
    expect(accepted).toBe(0)
    expect(new Set(rejected.map(({ code }) => code))).toEqual(new Set(['token_invalid']))
    expect(rejected[0]!.path).toBe('/events/0/token')
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** The token with another character at one place: the neighbour in the alphabet, which differs in the lowest bit, or another. */
function altered(token: string, index: number): string {
  const at = ALPHABET.indexOf(token[index]!)
  return `${token.slice(0, index)}${at === -1 ? 'A' : ALPHABET[at ^ 1]}${token.slice(index + 1)}`
}

describe('bills nothing and is answered 404 or token_invalid:', () => {
  let page: Page
  beforeEach(async () => {
    page = await openPage()
    expect(await newRows()).toEqual([])
  })
  const settledWithoutCharges = async () => {
    await settle()
    expect(await newRows()).toEqual([])
  }

  it('a token with any one character changed, taken away, or put in its place', async () => {
    for (const { token } of [page.cpc, page.cpm, page.organic]) {
      const places = Array.from({ length: token.length }, (_, index) => index)
      await expectRefused(places.map((index) => altered(token, index)))
      await expectRefused(places.map((index) => token.slice(0, index) + token.slice(index + 1)).slice(0, 60))
    }
    await settledWithoutCharges()
  })

  it('a token cut short or made longer', async () => {
    const { token } = page.cpc
    const short = Array.from({ length: token.length - 1 }, (_, index) => token.slice(0, index + 1))
    const long = ['A', '.', '=', '.A', ' ', '\n', '\0', token, `.${token}`].flatMap((more) => [
      `${token}${more}`,
      `${more}${token}`,
    ])
    await expectRefused([...short, ...long])
    await settledWithoutCharges()
  })

  it('a token put together from the parts of others, of one page or of two', async () => {
    const other = await openPage()
    const [cpc, cpm, organic, again] = [page.cpc, page.cpm, page.organic, other.cpc].map(({ token }) =>
      token.split('.'),
    ) as [string[], string[], string[], string[]]
    await expectRefused(
      [
        [again[0]!, ...cpc.slice(1)],
        [cpm[0]!, ...cpc.slice(1)],
        [...cpc.slice(0, 4), again[4]!],
        [cpc[0]!, '2', ...cpc.slice(2)],
        [cpc[0]!, cpc[1]!, cpm[2]!, ...cpc.slice(3)],
        [cpc[0]!, cpc[1]!, cpc[2]!, cpm[3]!, cpc[4]!],
        // An organic slot passed off as sponsored, and the other way round.
        [...organic.slice(0, 3), cpc[3]!, organic[3]!],
        [cpc[0]!, cpc[1]!, cpc[2]!, cpc[4]!],
        [organic[0]!, ...cpc.slice(1)],
      ].map((parts) => parts.join('.')),
    )
    await settledWithoutCharges()
  })

  it('a token that another installation sealed, under any name of its key', async () => {
    const { id } = market.host.secrets.tokenKeys[0]!
    const slot = opened(page.cpc.token)
    await expectRefused(
      [id, 'other', 'k1'].map((name) =>
        createTokenSealer([{ id: name, secret: randomBytes(32) }]).seal(slot, randomBytes(PAGE_RANDOM_BYTES)),
      ),
    )
    await settledWithoutCharges()
  })
})

describe('a token that is ours', () => {
  it('bills nothing once it has expired: what shoppers do is stale, shops are told', async () => {
    const page = await openPage()
    const expired = [page.cpc, page.cpm].map(({ token }) =>
      ours().seal(
        { ...opened(token), issuedAtMs: Date.now() - 3_600_000, expiresAtMs: Date.now() - 1 },
        randomBytes(PAGE_RANDOM_BYTES),
      ),
    )
    for (const token of expired) {
      expect((await visit(`/t/i/${token}`)).status).toBe(200)
      expect((await visit(`/t/c/${token}`)).headers.location).toBe(
        URL_OF[opened(token).listingId as keyof typeof URL_OF],
      )
      const { accepted, rejected } = await report(eventOf(token, 'impression'), eventOf(token, 'click'))
      expect([accepted, rejected.map(({ code }) => code)]).toEqual([0, ['token_expired', 'token_expired']])
    }
    await settle()
    const rows = await rowsOf(page.cpc, page.cpm)
    expect(rows.map(({ type, outcome, reason, micros }) => [type, outcome, reason, micros]).sort()).toEqual(
      ['click', 'click', 'impression', 'impression'].map((type) => [type, 'not_charged', 'stale', 0n]),
    )
  })

  it('bills one click however often it is replayed, as pixel, redirect and event, all at once', async () => {
    const { token } = await slotOf('cpc', true)
    await report(eventOf(token, 'impression', -1000))
    const replays = await Promise.all([
      ...Array.from({ length: 30 }, () => visit(`/t/c/${token}`)),
      ...Array.from({ length: 30 }, () => visit(`/t/i/${token}`)),
      ...Array.from({ length: 10 }, () =>
        report(eventOf(token, 'click'), eventOf(token, 'impression'), eventOf(token, 'click')),
      ),
    ])
    const statuses = replays.map((answer) => ('status' in answer ? answer.status : answer.accepted))
    expect([...new Set(statuses)].sort()).toEqual([200, 3, 302])
    await settle()
    const rows = await rowsOf({ token } as Slot)
    expect(rows.filter(({ outcome }) => outcome === 'charged')).toMatchObject([
      { type: 'click', micros: CLICK_MICROS },
    ])
    const refused = rows.filter(({ outcome, type }) => outcome === 'not_charged' && type === 'click')
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['repeat']))
    expect(refused).toHaveLength(49)
  })

  it('bills nothing for what it was not sold for: a click without its impression, an impression where clicks are sold, a click where impressions are, an organic slot', async () => {
    const page = await openPage()
    expect((await visit(`/t/c/${page.cpc.token}`)).status).toBe(302)
    await report(eventOf(page.cpc.token, 'viewable'))
    for (const { token } of [page.cpm, page.organic]) {
      expect((await visit(`/t/c/${token}`)).status).toBe(302)
      await report(eventOf(token, 'click'), eventOf(token, 'viewable'))
    }
    expect((await visit(`/t/i/${page.organic.token}`)).status).toBe(200)
    await report(eventOf(page.organic.token, 'impression'))
    const shown = await slotOf('cpc', true)
    expect((await visit(`/t/i/${shown.token}`)).status).toBe(200)
    await report(eventOf(shown.token, 'impression'))
    await settle()
    const rows = await rowsOf(page.cpc, page.cpm, page.organic, shown)
    expect(rows.filter(({ outcome, micros }) => outcome === 'charged' || micros > 0n)).toEqual([])
    // And where impressions are sold, the impression is what is billed, once.
    for (let time = 0; time < 3; time++) await visit(`/t/i/${page.cpm.token}`)
    await settle()
    const billed = (await rowsOf(page.cpm)).filter(({ outcome }) => outcome === 'charged')
    expect(billed.map(({ type }) => type)).toEqual(['impression'])
  })
})

describe('a redirect', () => {
  const evil = 'https://evil.example/'

  it('goes to the address of the listing, whatever the request says', async () => {
    const { token, sponsored } = await slotOf('cpc', true)
    expect(sponsored).toBe(true)
    const queries = [
      'url',
      'to',
      'next',
      'redirect',
      'redirect_uri',
      'r',
      'u',
      'dest',
      'returnUrl',
      'location',
    ]
      .map((name) => `?${name}=${encodeURIComponent(evil)}`)
      .concat([
        '?//evil.example',
        '?https://evil.example',
        '?token=x',
        '?%0d%0alocation:%20https://evil.example',
      ])
    for (const query of ['', ...queries]) {
      const answer = await visit(`/t/c/${token}${query}`)
      expect([answer.status, answer.headers.location], query).toEqual([302, URL_OF.cpc])
    }
    for (const headers of [
      { host: 'evil.example' },
      { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' },
      { forwarded: 'host=evil.example;proto=http' },
      { 'x-original-url': evil, 'x-rewrite-url': evil },
      { 'x-http-method-override': 'POST', referer: evil, origin: evil },
    ] as Record<string, string>[]) {
      const answer = await visit(`/t/c/${token}`, headers)
      expect([answer.status, answer.headers.location], JSON.stringify(headers)).toEqual([302, URL_OF.cpc])
      expect(JSON.stringify([answer.headers, answer.text])).not.toContain('evil')
    }
  })

  it('is made for nothing else: other spellings of its address and other routes answer no location', async () => {
    const { token } = await slotOf('cpc', true)
    for (const path of [
      `/t/c/${token}/`,
      `/t/c/${token}//evil.example`,
      `/t/c/${token}/${evil}`,
      `//t/c/${token}`,
      `//evil.example/t/c/${token}`,
      `/t/c//${token}`,
      `/t/c/${evil}`,
      `/t/c/${encodeURIComponent(evil)}`,
      `/t/c?token=${token}`,
      '/t/c/',
      '/docs',
      '//evil.example/%2f..',
      '/%5cevil.example',
    ]) {
      const answer = await visit(path)
      expect(answer.headers.location, path).toBeUndefined()
      expect([200, 400, 404], path).toContain(answer.status)
    }
    expect((await visit(`/t/i/${token}`)).headers.location).toBeUndefined()
  })

  it('follows the listing to its new address, with other scripts percent-encoded', async () => {
    const { token } = await slotOf('cpm', true)
    await putListing(merchants[1]!, 'cpm', 'https://größe.example/靴?q=é#ü')
    const target = 'https://xn--gre-6ka8i.example/%E9%9D%B4?q=%C3%A9#%C3%BC'
    await poll('the new address', PATIENCE_MS, async () =>
      (await visit(`/t/c/${token}`)).headers.location === target ? true : undefined,
    )
    await putListing(merchants[1]!, 'cpm', URL_OF.cpm)
  })

  it('starts from addresses under the public one, whatever host the search front end named', async () => {
    const answer = await market.call('POST', '/v1/rank', {
      key: serve,
      body: { placement: 'search', query: 'cpc', slots: { total: 1, sponsored: [1] } },
      headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
    })
    const [slot] = answer.json<{ slots: { clickUrl: string; impressionUrl: string }[] }>().slots
    for (const address of [slot!.clickUrl, slot!.impressionUrl])
      expect(new URL(address).origin).toBe(new URL(market.host.url).origin)
  })
})

describe('what the platform charges', () => {
  const PRICES = /123457|3\.?217654|4321\.?123456/
  const body = (query: string) => ({ placement: 'search', query, slots: { total: 1, sponsored: [1] } })
  const auctions = { auctions: [{ placement: 'search', slots: 1, query: 'cpc' }] }
  const textOf = ({ headers, text }: RawAnswer) => `${JSON.stringify(headers)}\n${text}`

  it('is told to operators, and to nobody else by any answer', async () => {
    const stranger = await market.key(`merchant:${await market.merchant()}`)
    const keys = [serve, events, await market.key('orders'), stranger]
    const slot = (await slotOf('cpc', true)) as Extract<Slot, { sponsored: true }>
    const { auctionId } = opened(slot.token)
    const told = await Promise.all([
      market.call('POST', '/v1/auctions', { key: market.operator, body: auctions }),
      market.call('POST', '/v1/rank?explain=1', { key: market.operator, body: body('cpc') }),
    ])
    for (const answer of told) expect(textOf(answer)).toContain(CLICK_PRICE)

    const untold: RawAnswer[] = []
    for (const key of [undefined, ...keys]) {
      for (const [method, path, sent] of [
        ['POST', '/v1/rank', body('cpc')],
        ['POST', '/v1/rank', body('cpm')],
        ['POST', '/v1/rank?explain=1', body('cpc')],
        ['POST', '/v1/auctions', auctions],
        ['POST', '/v1/auctions?explain=1', auctions],
        ['POST', '/v1/events', { events: [eventOf(slot.token, 'impression')] }],
        ['GET', `/v1/auctions/${auctionId}`, undefined],
        ['GET', '/v1/rules', undefined],
        ['GET', '/metrics', undefined],
        ['GET', '/openapi.json', undefined],
        ['GET', '/livez', undefined],
        ['GET', '/readyz', undefined],
        ['GET', '/v1/campaigns', undefined],
        ['GET', `/v1/merchants/${merchants[0]}/ledger`, undefined],
        ['GET', `/t/i/${slot.token}`, undefined],
        ['GET', `/t/c/${slot.token}`, undefined],
        ['GET', `/t/c/${altered(slot.token, 50)}`, undefined],
      ] as const) {
        const answer = await market.call(method, path, { key, body: sent })
        expect(textOf(answer), `${method} ${path}`).not.toMatch(PRICES)
        untold.push(answer)
      }
    }
    expect(untold.filter(({ status }) => status === 200 || status === 202).length).toBeGreaterThan(20)
    // Not even operators read it where machines collect what they can: metrics.
    expect(textOf(await market.call('GET', '/metrics', { key: market.operator }))).not.toMatch(PRICES)
  })

  it('cannot be read from a token: not by its bytes, its length, or by seeing the same price twice', async () => {
    const look = async () => {
      const slots = await Promise.all(['cpc', 'cpm', 'cpc'].map((word) => slotOf(word, true)))
      return slots.map(({ token }) => token)
    }
    const cheap = await look()
    const bytes = cheap.flatMap((token) =>
      token.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex')),
    )
    for (const micros of [CLICK_MICROS, 3_217_654n]) {
      const printed = micros.toString(16)
      const reversed = printed.padStart(6, '0').match(/../g)!.reverse().join('')
      for (const part of bytes) {
        expect(part).not.toContain(printed)
        expect(part).not.toContain(reversed)
      }
    }
    expect(cheap[0]!.split('.')[0]).not.toBe(cheap[2]!.split('.')[0])

    await market.expect(200, 'PUT', '/v1/rules', { reserve: DEAR_PRICE, reserveCpm: DEAR_PRICE })
    await poll('the dear reserves', PATIENCE_MS, async () =>
      (await pricesOf()).every((price) => price === DEAR_PRICE) ? true : undefined,
    )
    const dear = await look()
    expect(dear.map((token) => opened(token).priceMicros)).toEqual([
      4_321_123_456n,
      4_321_123_456n,
      4_321_123_456n,
    ])
    expect(dear.map(({ length }) => length)).toEqual(cheap.map(({ length }) => length))
  })
})
