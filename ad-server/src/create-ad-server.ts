import { join } from 'node:path'
import { type Clock, createTokenSealer, type IdSource, type TokenKey } from '@endcap/contracts'
import type { EventLog, EventSink } from '@endcap/platform/event-log'
import type { App, KeyVerifier } from '@endcap/platform/http'
import type { Component, Service } from '@endcap/platform/lifecycle'
import { counterOf, gaugeOf } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import type { StateStore, WindowLimit } from '@endcap/platform/state-store'
import { createPredictorHost } from '@endcap/ranking'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { Accounts } from './budgets/accounts.js'
import { createBudgetFeed } from './budgets/budget-feed.js'
import { InFlightSpend } from './budgets/in-flight.js'
import { createInFlightExchange } from './budgets/in-flight-exchange.js'
import { AdIndex } from './index/ad-index.js'
import { createIndexFeed } from './index/index-feed.js'
import { createIndexKeyVerifier } from './index/key-verifier.js'
import { createModelFeed } from './models/model-feed.js'
import { getClick } from './routes/get-click/route.js'
import { getImpression } from './routes/get-impression/route.js'
import { postAuctions } from './routes/post-auctions/route.js'
import { postEvents } from './routes/post-events/route.js'
import { postRank } from './routes/post-rank/route.js'
import { createFeatureBuffers } from './serve/3-predict/feature-buffers.js'
import { createFrequencyCaps } from './serve/frequency-caps.js'
import { createIdentityHasher } from './serve/identity-hasher.js'
import { createRandomPool } from './serve/random-pool.js'
import { createServe } from './serve/serve.js'
import type { Timings } from './serve/timings.js'
import { createClickLimits } from './track/click-limits.js'
import { createDataCenters } from './track/data-centers.js'
import { createDeclaredBots } from './track/declared-bots.js'
import { createFirstContents } from './track/first-contents.js'
import { createSuspect } from './track/suspect.js'
import { createTrack } from './track/track.js'

export interface AdServerDeps {
  /** Where the change feed is read. */
  readonly log: EventLog
  /** Where auctions and interactions go. */
  readonly sink: EventSink
  readonly state: StateStore
  /** The model registry; undefined: models and statistics come from the copies on disk only. */
  readonly postgres: Postgres | undefined
  readonly clock: Clock
  readonly ids: IdSource
  /** In [0, 1). */
  readonly random: () => number
  readonly randomBytes: (bytes: number) => Buffer
  readonly tokenKeys: readonly TokenKey[]
  /** 32 bytes; under it people are remembered. */
  readonly identityKey: Buffer
  /** What click and impression addresses begin with, without a slash at the end. */
  readonly publicUrl: string
  readonly dataDir: string
  readonly logger: Logger
  readonly registry: Registry
  /** Sponsored clicks of one customer, and of one address, that may be billed in any of these windows. None: no limits. */
  readonly clickLimits?: readonly WindowLimit[]
  /** The file of data-centre networks; undefined: no address is taken for one. */
  readonly dataCenterRanges?: string | undefined
  /** How long a model may take before smoothed rates stand in for it. Default 50 ms. */
  readonly predictTimeoutMs?: number
  /** Told how long each step of a request took. */
  readonly timings?: Timings
}

export interface AdServer extends Service {
  /** Verifies API keys against the change feed, without a database. */
  readonly verifyKey: KeyVerifier
  readonly index: AdIndex
  /** Reads budgets, models and statistics again now instead of at the next turn. */
  refresh(): Promise<void>
}

const PREDICT_TIMEOUT_MS = 50

/** The request path of a marketplace's pages: ranks, sells slots, and records what shoppers did with them. */
export function createAdServer(deps: AdServerDeps): AdServer {
  const { clock, ids, logger, registry, sink, state, identityKey } = deps
  const publicUrl = deps.publicUrl.replace(/\/+$/, '')
  const sealer = createTokenSealer(deps.tokenKeys)
  const accounts = new Accounts()
  const index = new AdIndex(accounts)
  const invalidChanges = counterOf(registry, {
    name: 'endcap_changes_invalid_total',
    help: 'Records of the change feed that were not understood',
  })
  const indexFeed = createIndexFeed({
    log: deps.log,
    index,
    dir: join(deps.dataDir, 'index'),
    clock,
    group: `ad-index-${ids('event')}`,
    logger,
    onInvalid: () => invalidChanges.inc(),
  })
  const inFlight = new InFlightSpend()
  const budgets = createBudgetFeed({ state, accounts, inFlight, clock, logger })
  const exchange = createInFlightExchange({
    state,
    accounts,
    inFlight,
    processId: ids('event'),
    clock,
    logger,
  })
  const host = createPredictorHost({
    clock,
    timeoutMs: deps.predictTimeoutMs ?? PREDICT_TIMEOUT_MS,
    registry,
    logger,
  })
  const models = createModelFeed({ postgres: deps.postgres, host, dir: join(deps.dataDir, 'models'), logger })
  const caps = createFrequencyCaps(state, index)
  const serve = createServe({
    index,
    budgets,
    inFlight,
    caps,
    predict: { host, stats: models.stats, buffers: createFeatureBuffers() },
    seal: { sealer, randomBytes: createRandomPool(deps.randomBytes) },
    sink,
    hashIdentity: createIdentityHasher(identityKey),
    clock,
    ids,
    random: deps.random,
    logger,
    registry,
    timings: deps.timings,
  })
  const dataCenters = createDataCenters({ path: deps.dataCenterRanges, logger, registry })
  const suspect = createSuspect({
    isDeclaredBot: createDeclaredBots(),
    isDataCenter: dataCenters.contains,
    exceededBy: createClickLimits({ state, limits: deps.clickLimits ?? [], logger, registry }),
  })
  const track = createTrack({ index, sealer, sink, caps, suspect, identityKey, clock, ids, logger, registry })
  reportSize(registry, index)

  const events: Component = {
    name: 'event sink',
    start: async () => undefined,
    stop: async () => undefined,
    problem: () => sink.problem(),
  }
  return {
    routes(app: App) {
      postRank(app, { serve, publicUrl, timings: deps.timings })
      postAuctions(app, { serve, publicUrl })
      postEvents(app, {
        sealer,
        track,
        firsts: createFirstContents(state, logger),
        identityKey,
        clock,
        logger,
      })
      getImpression(app, { sealer, track })
      getClick(app, { sealer, index, track })
    },
    components: [events, dataCenters, indexFeed, budgets, exchange, models],
    verifyKey: createIndexKeyVerifier(index),
    index,
    async refresh() {
      await Promise.all([budgets.refresh(), exchange.exchange(), models.refresh()])
    },
  }
}

function reportSize(registry: Registry, index: AdIndex): void {
  const size = gaugeOf(registry, {
    name: 'endcap_index_entities',
    help: 'Entities that serving knows, by kind',
    labelNames: ['kind'],
    collect() {
      for (const [kind, count] of Object.entries(index.size)) size.set({ kind }, count)
    },
  })
}
