import { createIdSource, systemClock } from '@endcap/contracts'
import { Pool } from 'undici'
import { quantile, report, until } from '../report.js'
import { type Child, startChild } from './child.js'
import { CONNECTIONS, createLoad } from './load.js'
import { type BenchMarket, createBenchMarket, type RankRequest } from './market.js'
import { BENCH_MODEL_VERSION } from './model.js'

interface RankAnswer {
  readonly modelVersion: string
  readonly degraded: readonly string[]
  readonly slots: readonly { readonly sponsored: boolean; readonly token: string }[]
}

interface Client {
  send<T>(method: 'POST' | 'PUT', path: string, body: unknown): Promise<T>
  close(): Promise<void>
}

const EVENTS_A_CALL = 100
const EVENTS_PAUSE_MS = 50
const TRAIN_PAUSE_MS = 50
const CLICK_RATE = 0.1
/** A clicked slot was seen a while before. */
const CLICK_DELAY_MS = 1500

/**
 * Latencies of rank requests on the full host: first with nothing beside them but the ingest of their own auctions, then while shoppers'
 * events are taken in, billed and stored, a loop of report queries runs, and one model after the other is trained.
 */
export async function measureBusyHost({ quick }: { quick: boolean }): Promise<void> {
  const size = quick ? { topics: 2, requests: 40, visits: 500 } : { topics: 6, requests: 300, visits: 4000 }
  const seconds = quick ? 1.5 : 15
  const history = quick ? 100 : 1500
  const market = createBenchMarket(size)
  const host = startChild('host-process', size)
  const { url, key } = await host.call<{ url: string; key: string }>('start')
  const client = createClient(url, key)
  await createMarket(client, market)
  await host.call('installModel')
  await until(async () => isWhole(await rank(client, market.requests[0]!)))
  const tokens = await makeHistory(client, market, history)
  await host.call('settle')
  await host.call('buildStats')

  const load = createLoad({
    baseUrl: url,
    path: '/v1/rank',
    key,
    bodies: market.requests.map((body) => JSON.stringify(body)),
  })
  const measured = async (): Promise<{ times: number[]; perSecond: number }> => {
    const startedAt = performance.now()
    const times = await load.sendUntil(() => performance.now() - startedAt > seconds * 1000)
    return {
      times: times.sort((a, b) => a - b),
      perSecond: (times.length * 1000) / (performance.now() - startedAt),
    }
  }
  await measured()
  const alone = await measured()
  const others = startOthers(client, host, tokens)
  await until(async () => others.done.reports > 0 && others.done.events > 0)
  const busy = await measured()
  const done = await others.stop()
  report('rank.busy', {
    seconds,
    connections: CONNECTIONS,
    aloneP50Ms: quantile(alone.times, 0.5),
    aloneP99Ms: quantile(alone.times, 0.99),
    alonePerSecond: alone.perSecond,
    busyP50Ms: quantile(busy.times, 0.5),
    busyP99Ms: quantile(busy.times, 0.99),
    busyPerSecond: busy.perSecond,
    p99Ratio: quantile(busy.times, 0.99) / quantile(alone.times, 0.99),
    besideIt: done,
  })
  await load.close()
  await client.close()
  await host.close()
}

function createClient(url: string, key: string): Client {
  const pool = new Pool(url, { connections: CONNECTIONS })
  return {
    async send<T>(method: 'POST' | 'PUT', path: string, body: unknown) {
      const answer = await pool.request({
        method,
        path,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      const text = await answer.body.text()
      if (answer.statusCode >= 300)
        throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text}`)
      return JSON.parse(text) as T
    },
    close: () => pool.close(),
  }
}

const rank = (client: Client, body: RankRequest) => client.send<RankAnswer>('POST', '/v1/rank', body)

const isWhole = ({ modelVersion, degraded, slots }: RankAnswer): boolean =>
  modelVersion === BENCH_MODEL_VERSION && degraded.length === 0 && slots.some(({ sponsored }) => sponsored)

async function createMarket(client: Client, market: BenchMarket): Promise<void> {
  const merchants: string[] = []
  for (let index = 0; index < market.merchants; index++) {
    const { id } = await client.send<{ id: string }>('POST', '/v1/merchants', {
      name: `Merchant ${index}`,
      currency: 'EUR',
      timeZone: 'UTC',
    })
    await client.send('POST', `/v1/merchants/${id}/deposits`, { amount: '100000.00', reference: 'bench' })
    merchants.push(id)
  }
  for (let start = 0; start < market.listings.length; start += 1000) {
    await client.send('PUT', '/v1/listings', {
      items: market.listings.slice(start, start + 1000).map(({ id, merchant, title, category, price }) => ({
        id,
        merchantId: merchants[merchant],
        title,
        url: `https://shop.example/p/${id}`,
        categories: [category],
        price,
        currency: 'EUR',
      })),
    })
  }
  await inParallel(market.campaigns, ({ merchant, listing, bid, keyword }) =>
    client.send('POST', '/v1/campaigns', {
      merchantId: merchants[merchant],
      name: `Campaign of ${listing}`,
      status: 'active',
      pricing: 'cpc',
      bid,
      budget: { daily: '1000.00' },
      pacing: 'asap',
      targeting: { keywords: [keyword] },
      listings: [listing],
    }),
  )
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (next < items.length) await work(items[next++]!)
    }),
  )
}

/** Pages that shoppers saw and clicked now and then: what training learns from. @returns tokens of slots that nobody has seen yet */
async function makeHistory(client: Client, market: BenchMarket, pages: number): Promise<string[]> {
  const fresh: string[] = []
  const ids = createIdSource()
  await inParallel(
    Array.from({ length: pages }, (_, index) => index),
    async (index) => {
      const { slots } = await rank(client, market.requests[index % market.requests.length]!)
      if (index % 2 === 1) {
        fresh.push(...slots.map(({ token }) => token))
        return
      }
      const now = systemClock() - CLICK_DELAY_MS
      const seen = slots.map(({ token }) => eventOf(ids('interaction'), 'impression', now, token))
      const clicked = slots
        .filter((_, position) => (index + position * position) % Math.round(1 / CLICK_RATE) === 0)
        .map(({ token }) => eventOf(ids('interaction'), 'click', now + CLICK_DELAY_MS, token))
      await client.send('POST', '/v1/events', { events: [...seen, ...clicked] })
    },
  )
  return fresh
}

const eventOf = (id: string, type: 'impression' | 'click', atMs: number, token: string) => ({
  id,
  type,
  occurredAt: new Date(atMs).toISOString(),
  token,
  // Somebody else each time: a shopper who clicks all the time is not billed.
  customer: { id },
  client: { address: addressOf(id), userAgent: USER_AGENT },
})
const addressOf = (id: string): string =>
  `2001:db8:${[...id.slice(-24).matchAll(/.{4}/g)].map(([group]) => group).join(':')}`
const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'

interface Done {
  events: number
  reports: number
  trainings: number
}

/** Events, report queries and trainings, each in a loop of its own, until stopped. */
function startOthers(client: Client, host: Child, tokens: readonly string[]) {
  const ids = createIdSource()
  const done: Done = { events: 0, reports: 0, trainings: 0 }
  let stopped = false
  async function loop(pauseMs: number, turn: () => Promise<void>): Promise<void> {
    while (!stopped) {
      await turn()
      await new Promise((wake) => setTimeout(wake, pauseMs))
    }
  }
  const events = async (): Promise<void> => {
    const now = systemClock()
    const batch = Array.from({ length: EVENTS_A_CALL }, (_, nth) =>
      eventOf(ids('interaction'), 'impression', now, tokens[(done.events + nth) % tokens.length]!),
    )
    await client.send('POST', '/v1/events', { events: batch })
    done.events += batch.length
  }
  const reports = async (): Promise<void> => {
    const now = systemClock()
    await client.send('POST', '/v1/reports/query', {
      metrics: ['requests', 'impressions', 'clicks', 'spend', 'ctr', 'cpc'],
      dimensions: ['hour', 'campaign', 'position'],
      from: new Date(now - 7 * 86_400_000).toISOString(),
      to: new Date(now + 3_600_000).toISOString(),
      limit: 1000,
    })
    done.reports++
  }
  const train = async (): Promise<void> => {
    const rows = await host.call<number>('train')
    if (rows === 0) throw new Error('there was nothing to train on')
    done.trainings++
  }
  const loops = Promise.all([loop(EVENTS_PAUSE_MS, events), loop(0, reports), loop(TRAIN_PAUSE_MS, train)])
  return {
    done,
    async stop(): Promise<Done> {
      const counted = { ...done }
      stopped = true
      await loops
      return counted
    },
  }
}
