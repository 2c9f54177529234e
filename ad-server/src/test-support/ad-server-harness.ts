import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BUDGET_VIEW_KEY,
  BUDGET_VIEW_PUBLISHED_KEY,
  type CampaignState,
  type ChangeData,
  createSequentialIdSource,
  createTokenSealer,
  type ListingState,
  NO_TARGETING,
  newEvent,
  TOPIC_SPECS,
  TOPICS,
  type Topic,
  WALLET_VIEW_KEY,
} from '@endcap/contracts'
import {
  createDirectSink,
  createEmbeddedLog,
  type EmbeddedLog,
  type EventSink,
} from '@endcap/platform/event-log'
import { type App, createHttpApp, type HttpAppOptions } from '@endcap/platform/http'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { createMemoryStateStore, type StateStore } from '@endcap/platform/state-store'
import type { LightMyRequestResponse } from 'fastify'
import { type AdServer, type AdServerDeps, createAdServer } from '../create-ad-server.js'

export const KEYS = {
  serve: 'ek_serve',
  events: 'ek_events',
  events2: 'ek_events2',
  operator: 'ek_operator',
  orders: 'ek_orders',
}
const tokenKeys = [{ id: 'k1', secret: Buffer.alloc(32, 7) }]
export const sealer = createTokenSealer(tokenKeys)
const identityKey = Buffer.alloc(32, 9)
/** Of a browser that no list of robots holds. */
export const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
/** A Monday. */
export const NOW_MS = Date.parse('2026-01-05T12:00:00Z')

export interface AdServerHarness {
  readonly app: App
  readonly server: AdServer
  readonly log: EmbeddedLog
  readonly state: StateStore
  readonly dataDir: string
  /** The fake clock's instant. */
  now: number
  /** Puts changes into the change feed and waits until the index has them. */
  change(...changes: Change[]): Promise<void>
  publishBudgets(view?: { wallets?: Record<string, bigint>; spent?: Record<string, Spent> }): Promise<void>
  /** The events of a topic, parsed, oldest first. */
  events<T>(topic: Topic): Promise<T[]>
  post(url: string, body: unknown, key?: string): Promise<LightMyRequestResponse>
  get(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** Stops everything but the log and its directory, and starts a new server on them. */
  restart(over?: Partial<AdServerDeps>): Promise<AdServerHarness>
  close(): Promise<void>
}

type Change = ChangeData extends infer C
  ? C extends { sequence: string }
    ? Omit<C, 'sequence'>
    : never
  : never
interface Spent {
  readonly day: string
  readonly spentDay: bigint
  readonly spentTotal: bigint
}

let lastSequence = 0

export const merchantChange = (id: string, over: { currency?: string; timeZone?: string } = {}): Change => ({
  kind: 'merchant',
  id,
  state: { id, name: id, currency: 'EUR', timeZone: 'UTC', version: 1, ...over },
})
export const listingChange = (id: string, merchantId: string, over: Partial<ListingState> = {}): Change => ({
  kind: 'listing',
  id,
  state: {
    id,
    merchantId,
    title: `red running shoes ${id}`,
    url: `https://shop.example/p/${id}?a=1`,
    categories: ['shoes'],
    priceMicros: '50000000',
    currency: 'EUR',
    location: null,
    status: 'active',
    version: 1,
    ...over,
  },
})
export const campaignState = (
  id: string,
  merchantId: string,
  listings: string[],
  over: Partial<CampaignState> = {},
): CampaignState => ({
  id,
  merchantId,
  name: id,
  status: 'active',
  pricing: 'cpc',
  bidMicros: '500000',
  budgetDailyMicros: '10000000',
  budgetWeeklyMicros: null,
  budgetMonthlyMicros: null,
  budgetTotalMicros: null,
  startsAt: null,
  endsAt: null,
  timeZone: null,
  dayparts: [],
  pacing: 'asap',
  targeting: NO_TARGETING,
  placements: [],
  targetRoas: null,
  frequencyCap: null,
  ads: listings.map((listingId) => ({ id: `ad_${id}_${listingId}`, listingId })),
  version: 1,
  ...over,
})
export const campaignChange = (...args: Parameters<typeof campaignState>): Change => ({
  kind: 'campaign',
  id: args[0],
  state: campaignState(...args),
})
export const keyChange = (id: string, key: string, scopes: string[], revoked = false): Change => ({
  kind: 'api_key',
  id,
  state: { id, hash: createHash('sha256').update(key).digest('hex'), scopes, revoked },
})

export const rankBodyOf = (over: Record<string, unknown> = {}) => ({
  placement: 'search',
  query: 'red running shoes',
  categories: ['shoes'],
  customer: { id: 'c-17', sessionId: 's-9', consent: true },
  device: 'mobile',
  organic: ['O1', 'O2', 'O3', 'O4', 'O5'].map((listingId, i) => ({ listingId, score: 10 - i })),
  slots: { total: 6, sponsored: [1, 4] },
  ...over,
})

/** Three merchants with one campaign each, five organic listings of a fourth, keys, and a published budget view. */
export async function startAdServer(
  over: Partial<AdServerDeps> = {},
  http: Partial<HttpAppOptions> = {},
): Promise<AdServerHarness> {
  const dataDir = await mkdtemp(join(tmpdir(), 'endcap-ad-server-'))
  const clockHolder = { now: NOW_MS }
  const log = createEmbeddedLog({ dir: join(dataDir, 'log'), clock: () => clockHolder.now })
  await log.ensureTopics(TOPIC_SPECS)
  const state = over.state ?? createMemoryStateStore({ clock: () => clockHolder.now })
  const harness = await startOn({ dataDir, clockHolder, log, state, over, http })
  await harness.publishBudgets()
  await harness.change(
    keyChange('key_s', KEYS.serve, ['serve']),
    keyChange('key_e', KEYS.events, ['events']),
    keyChange('key_e2', KEYS.events2, ['events']),
    keyChange('key_o', KEYS.operator, ['operator']),
    keyChange('key_r', KEYS.orders, ['orders']),
    ...['m1', 'm2', 'm3', 'm9'].map((id) => merchantChange(id)),
    ...['O1', 'O2', 'O3', 'O4', 'O5'].map((id) => listingChange(id, 'm9')),
    listingChange('S1', 'm1'),
    listingChange('S2', 'm2'),
    listingChange('S3', 'm3'),
    campaignChange('cmp_1', 'm1', ['S1'], { bidMicros: '900000' }),
    campaignChange('cmp_2', 'm2', ['S2'], { bidMicros: '600000' }),
    campaignChange('cmp_3', 'm3', ['S3'], { bidMicros: '300000' }),
  )
  return harness
}

interface Base {
  readonly dataDir: string
  readonly clockHolder: { now: number }
  readonly log: EmbeddedLog
  readonly state: StateStore
  readonly over: Partial<AdServerDeps>
  readonly http: Partial<HttpAppOptions>
}

async function startOn(base: Base): Promise<AdServerHarness> {
  const { dataDir, clockHolder, log, state } = base
  const clock = () => clockHolder.now
  const registry = createMetrics({ service: 'ad-server' })
  const ids = createSequentialIdSource()
  const logger = silentLogger()
  let seed = 1
  const server = createAdServer({
    log,
    sink: createDirectSink(log),
    state,
    postgres: undefined,
    clock,
    ids,
    random: () => {
      seed = (seed * 16807) % 2147483647
      return seed / 2147483647
    },
    randomBytes,
    tokenKeys,
    identityKey,
    publicUrl: 'http://ads.example',
    dataDir,
    logger,
    registry,
    // On a machine that is busy with other tests even this small model may take longer than a shopper would wait.
    predictTimeoutMs: 10_000,
    ...base.over,
  })
  const app = await createHttpApp({
    service: 'ad-server',
    logger,
    registry,
    ids,
    clock,
    verifyKey: server.verifyKey,
    readiness: async () => ({}),
    trustedProxies: [],
    openapi: { title: 'test', version: '0', description: '' },
    ...base.http,
  })
  server.routes(app)
  await app.ready()
  for (const component of server.components) await component.start()

  async function stop(): Promise<void> {
    await app.close()
    for (const component of [...server.components].reverse()) await component.stop()
  }

  return {
    app,
    server,
    log,
    state,
    dataDir,
    get now() {
      return clockHolder.now
    },
    set now(ms) {
      clockHolder.now = ms
    },
    async change(...changes) {
      const before = server.index.changes
      const records = changes.map((change) => {
        const data = { ...change, sequence: String(++lastSequence) }
        const at = new Date(clockHolder.now).toISOString()
        const event = newEvent('change', {
          id: `evt_c${lastSequence}`,
          occurredAtMs: Date.parse(at),
          source: 'test',
          key: `${change.kind}:${change.id}`,
          data,
        })
        return { key: event.key, value: JSON.stringify(event) }
      })
      await log.append(TOPICS.changes, records, 'written')
      await until(() => server.index.changes >= before + changes.length)
    },
    async publishBudgets({ wallets = {}, spent = {} } = {}) {
      const all = { m1: 100_000_000n, m2: 100_000_000n, m3: 100_000_000n, ...wallets }
      await state.hashSet(WALLET_VIEW_KEY, mapValues(all, String))
      await state.hashSet(
        BUDGET_VIEW_KEY,
        mapValues(spent, ({ day, spentDay, spentTotal }) =>
          JSON.stringify({ day, spentDay: String(spentDay), spentTotal: String(spentTotal) }),
        ),
      )
      await state.set(BUDGET_VIEW_PUBLISHED_KEY, String(clockHolder.now), 0)
      await server.refresh()
    },
    async events<T>(topic: Topic) {
      const found: T[] = []
      for (const { partition, first } of await log.ranges(topic)) {
        for await (const records of log.read(topic, partition, first)) {
          for (const { value } of records) if (value !== null) found.push(JSON.parse(value) as T)
        }
      }
      return found
    },
    post: (url, body, key = KEYS.serve) =>
      app.inject({
        method: 'POST',
        url,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        payload: JSON.stringify(body),
      }),
    get: (url, headers = {}) => app.inject({ method: 'GET', url, headers }),
    async restart(over = {}) {
      await stop()
      return startOn({ ...base, over })
    },
    async close() {
      await stop()
      await log.close()
      await state.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

const mapValues = <T>(values: Record<string, T>, print: (value: T) => string): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, print(value)]))

/** Polls until it holds. @throws after 10 s */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('waited 10 s in vain')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A sink that fails as told, over a real one. */
export function breakableSink(inner: () => EventSink): EventSink & { broken: boolean; silent: boolean } {
  return {
    broken: false,
    silent: false,
    async append(topic, records, durability) {
      if (this.broken) throw new Error('the disk is full')
      return inner().append(topic, records, durability)
    },
    problem() {
      return this.broken && !this.silent ? 'the spool is full' : undefined
    },
  }
}
