import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AdServer, createAdServer, type Timings } from '@endcap/ad-server'
import {
  BUDGET_VIEW_KEY,
  BUDGET_VIEW_PUBLISHED_KEY,
  type ChangeData,
  createIdSource,
  newEvent,
  parseMoney,
  systemClock,
  TOPIC_SPECS,
  TOPICS,
  WALLET_VIEW_KEY,
} from '@endcap/contracts'
import { createDirectSink, createEmbeddedLog, type NewRecord } from '@endcap/platform/event-log'
import { type App, createHttpApp } from '@endcap/platform/http'
import { createLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { createMemoryStateStore } from '@endcap/platform/state-store'
import { until } from '../report.js'
import type { BenchMarket } from './market.js'
import type { BenchModel } from './model.js'

export const SERVE_KEY = 'ek_bench_serve'

export interface Serving {
  readonly app: App
  readonly server: AdServer
  close(): Promise<void>
}

/** A whole ad-server as a process of its own would run it: HTTP with keys, index from the change feed, log on disk, live model, budgets. */
export async function startServing(
  market: BenchMarket,
  model: BenchModel,
  timings?: Timings,
): Promise<Serving> {
  const dataDir = await mkdtemp(join(tmpdir(), 'endcap-bench-'))
  const models = join(dataDir, 'models')
  await mkdir(models)
  await writeFile(join(models, 'live.onnx'), model.onnx)
  await writeFile(join(models, 'stats.bin'), model.stats)
  const clock = systemClock
  const ids = createIdSource()
  const logger = createLogger({ level: 'warn', service: 'bench' })
  const log = createEmbeddedLog({ dir: join(dataDir, 'log'), clock })
  await log.ensureTopics(TOPIC_SPECS)
  const changes = changesOf(market)
  for (let start = 0; start < changes.length; start += 1000) {
    await log.append(TOPICS.changes, changes.slice(start, start + 1000), 'written')
  }
  const state = createMemoryStateStore({ clock })
  await publishBudgets()
  // As fresh as billing keeps it, with nothing new in it.
  const publishing = setInterval(() => {
    state
      .set(BUDGET_VIEW_PUBLISHED_KEY, String(clock()), 0)
      .catch((error: unknown) => logger.error({ err: error }, 'budgets'))
  }, 1000)
  const registry = createMetrics({ service: 'bench' })
  const server = createAdServer({
    log,
    sink: createDirectSink(log),
    state,
    postgres: undefined,
    clock,
    ids,
    random: Math.random,
    randomBytes,
    tokenKeys: [{ id: 'bench', secret: randomBytes(32) }],
    identityKey: randomBytes(32),
    publicUrl: 'https://ads.example.com',
    dataDir,
    // Under full load every request waits for all others; what is measured is the cost of a whole answer.
    predictTimeoutMs: 10_000,
    logger,
    registry,
    ...(timings && { timings }),
  })
  const app = await createHttpApp({
    service: 'bench',
    logger,
    registry,
    ids,
    clock,
    verifyKey: server.verifyKey,
    readiness: async () => ({}),
    trustedProxies: [],
    // A loop that waits for its answers is not to be turned away.
    maxEventLoopDelayMs: 0,
    openapi: { title: 'Bench', version: '0', description: 'Rank bench' },
  })
  server.routes(app)
  for (const component of server.components) await component.start()
  await until(async () => server.index.changes >= changes.length)

  async function publishBudgets(): Promise<void> {
    const day = new Date(clock()).toISOString().slice(0, 10)
    await state.hashSet(
      BUDGET_VIEW_KEY,
      Object.fromEntries(
        market.campaigns.map((_, index) => [
          `cmp_${index}`,
          JSON.stringify({ day, spentDay: '12340000', spentTotal: '56780000' }),
        ]),
      ),
    )
    await state.hashSet(
      WALLET_VIEW_KEY,
      Object.fromEntries(
        Array.from({ length: market.merchants }, (_, index) => [`mer_${index}`, '900000000000']),
      ),
    )
    await state.set(BUDGET_VIEW_PUBLISHED_KEY, String(clock()), 0)
  }

  return {
    app,
    server,
    async close() {
      clearInterval(publishing)
      await app.close()
      for (const component of [...server.components].reverse()) await component.stop()
      await log.close()
      await state.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** The market as the change feed tells it. */
function changesOf(market: BenchMarket): NewRecord[] {
  let sequence = 0
  const records: NewRecord[] = []
  const add = (change: ChangeOf<ChangeData>): void => {
    const at = '2026-01-01T00:00:00.000Z'
    const key = `${change.kind}:${change.id}`
    const event = newEvent('change', {
      id: `evt_${++sequence}`,
      occurredAtMs: Date.parse(at),
      source: 'bench',
      key,
      data: { ...change, sequence: String(sequence) },
    })
    records.push({ key, value: JSON.stringify(event) })
  }
  const hash = createHash('sha256').update(SERVE_KEY).digest('hex')
  add({ kind: 'api_key', id: 'key_1', state: { id: 'key_1', hash, scopes: ['serve'], revoked: false } })
  for (let index = 0; index < market.merchants; index++) {
    const id = `mer_${index}`
    const timeZone = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Tokyo'][index % 4]!
    add({ kind: 'merchant', id, state: { id, name: id, currency: 'EUR', timeZone, version: 1 } })
  }
  for (const { id, merchant, title, category, price } of market.listings) {
    add({
      kind: 'listing',
      id,
      state: {
        id,
        merchantId: `mer_${merchant}`,
        title,
        url: `https://shop.example/p/${id}`,
        categories: [category],
        priceMicros: parseMoney(price).toString(),
        currency: 'EUR',
        location: null,
        status: 'active',
        version: 1,
      },
    })
  }
  for (const [index, { merchant, listing, bid, keyword }] of market.campaigns.entries()) {
    const id = `cmp_${index}`
    add({
      kind: 'campaign',
      id,
      state: {
        id,
        merchantId: `mer_${merchant}`,
        name: id,
        status: 'active',
        pricing: 'cpc',
        bidMicros: parseMoney(bid).toString(),
        budgetDailyMicros: '1000000000000',
        budgetWeeklyMicros: null,
        budgetMonthlyMicros: null,
        budgetTotalMicros: null,
        startsAt: null,
        endsAt: null,
        timeZone: null,
        dayparts: [],
        pacing: 'asap',
        targeting: {
          keywords: [{ ...keyword, negative: false }],
          categories: [],
          locations: [],
          items: [],
          devices: [],
          listingRadiusKm: null,
        },
        placements: [],
        targetRoas: null,
        frequencyCap: null,
        ads: [{ id: `ad_${index}`, listingId: listing }],
        version: 1,
      },
    })
  }
  return records
}

type ChangeOf<C> = C extends { sequence: string } ? Omit<C, 'sequence'> : never
