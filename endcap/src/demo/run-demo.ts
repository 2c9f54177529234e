import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  createIdSource,
  formatMoney,
  parseMoney,
  type ReportAnswer,
  sumMicros,
  systemClock,
} from '@endcap/contracts'
import { buildStats, type TrainOutcome, trainModel } from '@endcap/models'
import { attributeStored, verify, waitUntilSettled } from '@endcap/pipeline'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import { unlessAborted } from '@endcap/platform/lifecycle'
import { createLogger, type Logger } from '@endcap/platform/logging'
import { auctionReads, interactionReads, orderLineReads } from '@endcap/storage/clickhouse'
import { ledgerSums } from '@endcap/storage/postgres'
import type { DemoOptions } from '../commands/demo.js'
import { UsageError } from '../commands/options.js'
import { untilStopped } from '../host/interruption.js'
import { loadConfig } from '../host/services.js'
import { type Host, startHost } from '../host/start-host.js'
import { printJson, say } from '../output/print.js'
import { startProgress } from '../output/progress.js'
import { type ApiClient, allPages, createApiClient } from './api-client.js'
import { overBudgetMicros } from './over-budget.js'
import { type DemoDocument, printDemo } from './print-demo.js'
import { type Shoppers, startShoppers } from './shoppers.js'
import { addTally, emptyTally, type Tally } from './simulator.js'

const CONCURRENCY = 8
/** Shares of the searches after which statistics are refreshed, and after which a model is trained. */
const STATS_AFTER = [0.15, 0.35]
const TRAIN_AFTER = 0.6
const READY_TIMEOUT_MS = 60_000
const SETTLE_TIMEOUT_MS = 120_000
const POLL_MS = 100
const GENTLE_PAUSE_MS = 1_000

/**
 * Runs the demo; once it is done and stays up, a signal is what ends it.
 * @returns the exit code
 * @throws InterruptedError when a signal comes before that
 */
export const runDemo = (options: DemoOptions): Promise<number> =>
  untilStopped((interrupted) => playAndCount(options, interrupted))

async function playAndCount(options: DemoOptions, interrupted: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  const dataDir = freshDataDir(options.dataDir ?? process.env.ENDCAP_DATA_DIR)
  const config = loadConfig(
    ['all'],
    {
      ENDCAP_LOG_LEVEL: 'warn',
      // The demo squeezes days into a minute: a shopper searches again after seconds. Its shoppers' addresses come with their requests.
      ENDCAP_CLICK_LIMITS: '60/1m',
      ENDCAP_TRUSTED_PROXIES: '127.0.0.1,::1',
      ...process.env,
    },
    { ENDCAP_DATA_DIR: dataDir, ENDCAP_PORT: String(options.port ?? (options.exit ? 0 : 8080)) },
  )
  const logger = createLogger({ level: config.logLevel, service: 'demo' })
  say(`Starting Endcap in ${dataDir}`)
  const host = await startHost({ config, logger, interrupted })
  const api = createApiClient({ baseUrl: host.url, key: host.operatorKey!.key })
  const runId = createIdSource()('request').slice(-8)
  const shoppers = startShoppers({ baseUrl: host.url, key: host.operatorKey!.key, seed: options.seed, runId })
  try {
    const document = await unlessAborted(interrupted, async () => {
      await untilReady(host)
      const played = await play(host, api, shoppers, options, logger)
      return settleAndCount(host, api, played, startedAt)
    })
    if (options.json) printJson(document)
    else printDemo(document, host.url)
    if (!options.exit) await goOnGently(shoppers, options, interrupted)
    return document.ok ? 0 : 1
  } finally {
    await shoppers.stop()
    await api.close()
    await host.stop()
  }
}

/** A new directory: the one that is asked for, if it is empty, or the first free of .endcap, .endcap-2, .endcap-3… */
function freshDataDir(wanted: string | undefined): string {
  const isFresh = (dir: string) => !existsSync(dir) || readdirSync(dir).length === 0
  if (wanted !== undefined) {
    if (!isFresh(wanted))
      throw new UsageError(`${wanted} is not empty: the demo wants a fresh data directory`)
    return resolve(wanted)
  }
  for (let number = 1; ; number++) {
    const dir = resolve(number === 1 ? '.endcap' : `.endcap-${number}`)
    if (isFresh(dir)) return dir
  }
}

interface Played {
  readonly tally: Tally
  readonly training: TrainOutcome
}

/** The day of the marketplace: set-up, searches, statistics, a model, and searches that it ranks. */
async function play(
  host: Host,
  api: ApiClient,
  shoppers: Shoppers,
  options: DemoOptions,
  logger: Logger,
): Promise<Played> {
  const tally = emptyTally()
  const deps = { ...host.ports, clock: systemClock, ids: createIdSource(), logger }

  const setUp = startProgress('Merchants and campaigns')
  await shoppers.setUp(setUp.update)
  setUp.end()
  await untilSponsored(api, tally)

  const searches = startProgress('Searches')
  async function searchUpTo(share: number) {
    const from = tally.searches
    const to = Math.round(share * options.searches)
    const onProgress = (done: number) => searches.update(from + done, options.searches)
    addTally(tally, await shoppers.search({ from, to, concurrency: CONCURRENCY }, onProgress))
    searches.update(to, options.searches)
  }
  for (const share of STATS_AFTER) {
    await searchUpTo(share)
    await buildStats(deps)
  }
  await searchUpTo(TRAIN_AFTER)
  await waitUntilSettled(host.ports, SETTLE_TIMEOUT_MS)
  // Orders are credited every quarter of a minute; those of the last searches are to be learned from too.
  await attributeAll(host.ports.clickhouse)
  const training = await trainModel(deps, { promote: true, actor: 'endcap demo' })
  if (training.status === 'live') await untilServed(api, training.version, tally)
  await searchUpTo(1)
  searches.end()
  return { tally, training }
}

async function attributeAll(clickhouse: ClickHouse): Promise<void> {
  const nowMs = systemClock()
  await attributeStored(clickhouse, { fromMs: 0, toMs: nowMs + 60_000, nowMs })
}

async function settleAndCount(
  host: Host,
  api: ApiClient,
  { tally, training }: Played,
  startedAt: number,
): Promise<DemoDocument> {
  const { postgres, clickhouse, log } = host.ports
  const settling = startProgress('Settling and recounting')
  await waitUntilSettled(host.ports, SETTLE_TIMEOUT_MS)
  await attributeAll(clickhouse)
  const checks = await verify(
    { postgres, clickhouse, log, tokenKeys: host.secrets.tokenKeys, clock: systemClock },
    { onProgress: settling.update },
  )
  settling.end()

  const merchantIds = (await allPages<{ id: string }>(api, '/v1/merchants?')).map(({ id }) => id)
  const balances = await Promise.all(
    merchantIds.map(async (id) =>
      parseMoney((await api.expect<{ balance: string }>(200, 'GET', `/v1/merchants/${id}/wallet`)).balance),
    ),
  )
  const deposits = await Promise.all(merchantIds.map((id) => depositsOf(api, id)))
  const spendMicros = sumMicros(deposits) - sumMicros(balances)
  const report = await api.expect<ReportAnswer>(200, 'POST', '/v1/reports/query', {
    metrics: ['spend'],
    from: new Date(systemClock() - 7 * 86_400_000).toISOString(),
    to: new Date(systemClock() + 86_400_000).toISOString(),
  })
  const reportSpend = String(report.totals.spend)
  const stored = await Promise.all(
    [auctionReads, interactionReads, orderLineReads].map(
      async ({ counts }) => (await clickhouse.query(counts, {}))[0]!,
    ),
  )
  const eventsStored = stored.reduce((sum, { ids }) => sum + ids, 0)
  const sums = await ledgerSums(postgres)
  const overBudget = await overBudgetMicros(postgres)
  const ranks = tally.rankMs.sort((a, b) => a - b)
  const rankAt = (share: number) =>
    Math.round((ranks[Math.min(ranks.length - 1, Math.floor(share * ranks.length))] ?? 0) * 100) / 100
  const walletsAndSpendAgree = formatMoney(spendMicros) === reportSpend
  const document: Omit<DemoDocument, 'ok'> = {
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    searches: tally.searches,
    impressions: tally.impressions,
    clicks: tally.clicks,
    orders: tally.orders,
    spend: formatMoney(spendMicros),
    ledgerSum: formatMoney(sumMicros(sums.map(({ sumMicros: sum }) => sum))),
    reportSpend,
    walletsAndSpendAgree,
    eventsAccepted: tally.eventsAccepted,
    eventsStored,
    eventsLost: Math.max(0, tally.eventsAccepted - eventsStored),
    eventsDuplicated: stored.reduce((sum, { rows, ids }) => sum + rows - ids, 0),
    overBudget: formatMoney(overBudget),
    rank: { p50Ms: rankAt(0.5), p99Ms: rankAt(0.99) },
    model: {
      version: training.version,
      live: training.status === 'live' && (tally.modelVersions[training.version] ?? 0) > 0,
      auc: training.metrics.auc,
      logLoss: training.metrics.logLoss,
      baseRateLogLoss: training.metrics.baseRateLogLoss,
      calibration: training.metrics.calibration,
    },
    dataDir: host.dataDir,
    checks: checks.checks,
  }
  return { ok: checks.ok && isSound(document), ...document }
}

/** What a demo must show to have succeeded. */
const isSound = (document: Omit<DemoDocument, 'ok'>): boolean =>
  document.eventsLost === 0 &&
  document.eventsDuplicated === 0 &&
  document.eventsStored === document.eventsAccepted &&
  document.ledgerSum === '0' &&
  document.overBudget === '0' &&
  document.walletsAndSpendAgree &&
  document.model.live &&
  (document.model.logLoss ?? Number.POSITIVE_INFINITY) < (document.model.baseRateLogLoss ?? 0)

async function untilReady(host: Host): Promise<void> {
  await poll('Endcap to be ready', READY_TIMEOUT_MS, async () => {
    const reasons = await host.hosted.readiness()
    return Object.values(reasons).every((reason) => reason === null)
  })
}

/** The ad-server has heard of the campaigns when it fills a sponsored slot. */
async function untilSponsored(api: ApiClient, tally: Tally): Promise<void> {
  await poll('campaigns to be served', READY_TIMEOUT_MS, async () => {
    const page = await warmUp(api, tally)
    return page.slots.some((slot) => slot.sponsored)
  })
}

async function untilServed(api: ApiClient, version: string, tally: Tally): Promise<void> {
  await poll(
    'the new model to be served',
    READY_TIMEOUT_MS,
    async () => (await warmUp(api, tally)).modelVersion === version,
  )
}

/** A search outside the seeded stream, to see whether something has arrived. */
async function warmUp(api: ApiClient, tally: Tally) {
  const page = await api.expect<{ modelVersion: string; slots: { sponsored: boolean }[] }>(
    200,
    'POST',
    '/v1/rank',
    {
      placement: 'search',
      query: 'running shoes',
      categories: ['shoes'],
      slots: { total: 8, sponsored: [1, 2, 3, 4] },
    },
  )
  tally.eventsAccepted++
  return page
}

async function poll(what: string, timeoutMs: number, isDone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`)
    await new Promise((wake) => setTimeout(wake, POLL_MS))
  }
}

/** What a merchant paid in, by the merchant's own ledger. */
async function depositsOf(api: ApiClient, merchantId: string): Promise<bigint> {
  const entries = await allPages<{ kind: string; amount: string }>(api, `/v1/merchants/${merchantId}/ledger?`)
  return sumMicros(entries.filter(({ kind }) => kind === 'deposit').map(({ amount }) => parseMoney(amount)))
}

/** A search a second, until the person has seen enough. */
async function goOnGently(shoppers: Shoppers, options: DemoOptions, interrupted: AbortSignal): Promise<void> {
  for (let index = options.searches; !interrupted.aborted; index++) {
    await shoppers.search({ from: index, to: index + 1, concurrency: 1 }, () => {})
    await delay(GENTLE_PAUSE_MS, undefined, { signal: interrupted }).catch(() => {})
  }
}
