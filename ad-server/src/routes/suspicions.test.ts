import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type InteractionEvent, TOPICS } from '@endcap/contracts'
import { createMemoryStateStore, type StateStore } from '@endcap/platform/state-store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AdServerHarness,
  KEYS,
  NOW_MS,
  rankBodyOf,
  startAdServer,
} from '../test-support/ad-server-harness.js'

const BROWSER =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'
const MINUTE = 60_000
const DATA_CENTER = '198.51.100.20'

let dir: string
let ads: AdServerHarness
let away = false

/** A state store whose limits do not answer while it is away. */
function sometimesAway(store: StateStore): StateStore {
  return {
    ...store,
    windowsAdmit: (...asked) => (away ? new Promise(() => {}) : store.windowsAdmit(...asked)),
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'endcap-suspicions-'))
  const dataCenterRanges = join(dir, 'ranges.txt')
  await writeFile(dataCenterRanges, '198.51.100.0/24 # the cloud\n')
  ads = await startAdServer({
    dataCenterRanges,
    clickLimits: [
      { limit: 1, windowMs: MINUTE },
      { limit: 3, windowMs: 10 * MINUTE },
    ],
    state: sometimesAway(createMemoryStateStore({ clock: () => ads?.now ?? NOW_MS })),
  })
})
afterAll(async () => {
  await ads.close()
  await rm(dir, { recursive: true, force: true })
})

interface Slot {
  readonly token: string
  readonly sponsored: boolean
  readonly clickUrl: string
  readonly impressionUrl: string
}
let customers = 0
const newCustomer = () => `shopper-${++customers}`
let addresses = 0
const newAddress = () => `203.0.113.${++addresses}`

async function slotsOf(customer: object = { id: newCustomer(), consent: true }): Promise<Slot[]> {
  return (await ads.post('/v1/rank', rankBodyOf({ customer }))).json().slots
}
const sponsoredSlot = async (customer?: object) =>
  (await slotsOf(customer)).find(({ sponsored }) => sponsored)!

async function visit(
  url: string,
  { address = newAddress(), userAgent = BROWSER, headers = {} }: Partial<Visit> = {},
) {
  const answer = await ads.app.inject({
    method: 'GET',
    url: new URL(url).pathname,
    remoteAddress: address,
    headers: { 'user-agent': userAgent, ...headers },
  })
  const events = await ads.events<InteractionEvent>(TOPICS.interactions)
  return { status: answer.statusCode, suspicions: events.at(-1)!.data.suspicions }
}
interface Visit {
  readonly address: string
  readonly userAgent: string
  readonly headers: Record<string, string>
}

describe('what makes a visit of a browser suspicious', () => {
  it('is nothing for a shopper', async () => {
    const slot = await sponsoredSlot()
    expect(await visit(slot.impressionUrl)).toEqual({ status: 200, suspicions: [] })
    expect(await visit(slot.clickUrl)).toEqual({ status: 302, suspicions: [] })
  })

  it.each([
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'curl/8.5.0',
    'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
    'python-requests/2.31',
  ])('is a bot that says so, and it gets its redirect all the same: %s', async (userAgent) => {
    const slot = await sponsoredSlot()
    expect(await visit(slot.impressionUrl, { userAgent })).toEqual({ status: 200, suspicions: ['bot'] })
    expect(await visit(slot.clickUrl, { userAgent })).toEqual({ status: 302, suspicions: ['bot'] })
  })

  it.each([
    ['sec-purpose', 'prefetch;prerender'],
    ['purpose', 'prefetch'],
    ['x-moz', 'prefetch'],
    ['x-purpose', 'preview'],
    ['sec-purpose', 'prerender'],
  ])('is a page that is fetched ahead: %s: %s', async (name, purpose) => {
    expect(await visit((await sponsoredSlot()).clickUrl, { headers: { [name]: purpose } })).toEqual({
      status: 302,
      suspicions: ['prefetch'],
    })
  })

  it('is an address of a data centre; all that is found stands in one order', async () => {
    const slot = await sponsoredSlot()
    expect((await visit(slot.clickUrl, { address: DATA_CENTER })).suspicions).toEqual(['data_center'])
    const everything = { address: DATA_CENTER, userAgent: 'curl/8', headers: { purpose: 'prefetch' } }
    expect((await visit(slot.clickUrl, everything)).suspicions).toEqual(['bot', 'data_center', 'prefetch'])
  })
})

describe('the limits of clicks', () => {
  it('let an address have one click a minute and three in ten', async () => {
    const address = newAddress()
    const found: string[][] = []
    for (const minutes of [0, 0.5, 1.5, 3, 4.5, 12.6]) {
      const start = ads.now
      ads.now = start + minutes * MINUTE
      found.push((await visit((await sponsoredSlot()).clickUrl, { address })).suspicions)
      ads.now = start
    }
    expect(found).toEqual([[], ['address_rate'], [], [], ['address_rate'], []])
  })

  it('let a customer have one click a minute, from whatever addresses', async () => {
    const customer = { id: newCustomer(), consent: true }
    const [first, second] = [await sponsoredSlot(customer), await sponsoredSlot(customer)]
    expect((await visit(first.clickUrl)).suspicions).toEqual([])
    expect((await visit(second.clickUrl)).suspicions).toEqual(['customer_rate'])
    const refusing = { ...customer, consent: false }
    expect((await visit((await sponsoredSlot(refusing)).clickUrl)).suspicions).toEqual([])
  })

  it.each([
    ['2001:db8:7:1::1', '2001:db8:7:1:ffff::2', '2001:db8:7:2::1'],
    ['::ffff:192.0.2.77', '192.0.2.77', '192.0.2.78'],
  ])('take %s and %s for one address, %s for another', async (first, second, other) => {
    const found: (readonly string[])[] = []
    for (const address of [first, second, other])
      found.push((await visit((await sponsoredSlot()).clickUrl, { address })).suspicions)
    expect(found).toEqual([[], ['address_rate'], []])
  })

  it('count a slot once, however often it is clicked', async () => {
    const [slot, address] = [await sponsoredSlot(), newAddress()]
    for (let time = 0; time < 3; time++)
      expect((await visit(slot.clickUrl, { address })).suspicions).toEqual([])
  })

  it('count neither impressions nor organic clicks nor those of bots', async () => {
    const address = newAddress()
    await visit((await sponsoredSlot()).impressionUrl, { address })
    await visit((await sponsoredSlot()).clickUrl, { address, userAgent: 'curl/8' })
    const organic = (await slotsOf()).find(({ sponsored }) => !sponsored)!
    await report([{ token: organic.token, client: { address } }])
    expect((await visit((await sponsoredSlot()).clickUrl, { address })).suspicions).toEqual([])
  })

  it('let the shopper go on when the state store does not answer, and count what they did not look at', async () => {
    const address = newAddress()
    await visit((await sponsoredSlot()).clickUrl, { address })
    away = true
    const slot = await sponsoredSlot()
    expect(await visit(slot.clickUrl, { address })).toEqual({ status: 302, suspicions: [] })
    away = false
    const metrics = (await ads.get('/metrics', { authorization: `Bearer ${KEYS.operator}` })).body
    expect(metrics).toMatch(/endcap_click_limits_unknown_total\S* 1\n/)
  })
})

let reports = 0
async function report(clicks: readonly Record<string, unknown>[]): Promise<InteractionEvent[]> {
  const events = clicks.map((click) => ({
    id: `report-${++reports}`,
    type: 'click',
    occurredAt: new Date(ads.now).toISOString(),
    ...click,
  }))
  const answer = await ads.post('/v1/events', { events }, KEYS.events)
  expect(answer.json()).toEqual({ accepted: events.length, duplicates: 0, rejected: [] })
  const known = await ads.events<InteractionEvent>(TOPICS.interactions)
  return events.map(({ id }) => known.find((event) => event.id.startsWith(`key_e:${id}@`))!)
}
const found = (events: readonly InteractionEvent[]) => events.map(({ data }) => data.suspicions)

describe('what makes a reported event suspicious', () => {
  it('is what the shop says of its shopper: the address and the user agent', async () => {
    const tokens = await Promise.all([1, 2, 3, 4].map(async () => (await sponsoredSlot()).token))
    const events = await report([
      { token: tokens[0], client: { address: newAddress(), userAgent: BROWSER } },
      { token: tokens[1], client: { userAgent: 'Googlebot/2.1' } },
      { token: tokens[2], client: { address: DATA_CENTER } },
      { token: tokens[3] },
    ])
    expect(found(events)).toEqual([[], ['bot'], ['data_center'], []])
  })

  it('is judged by when clicks happened, not by when a batch of them is sent', async () => {
    const address = newAddress()
    const start = ads.now
    const slots = [await sponsoredSlot(), await sponsoredSlot(), await sponsoredSlot()]
    ads.now = start + 30 * MINUTE
    const at = [0, 0.5, 20].map((minutes) => new Date(start + minutes * MINUTE).toISOString())
    const events = await report(
      slots.map(({ token }, index) => ({ token, occurredAt: at[index], client: { address } })),
    )
    expect(found(events)).toEqual([[], ['address_rate'], []])
    ads.now = start
  })
})
