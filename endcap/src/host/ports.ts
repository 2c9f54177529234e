import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '@endcap/contracts'
import { TOPIC_SPECS } from '@endcap/contracts'
import { type ClickHouse, createClickHouse } from '@endcap/platform/clickhouse'
import type { Config } from '@endcap/platform/config'
import {
  createBoundedSink,
  createDirectSink,
  createEmbeddedLog,
  createKafkaLog,
  createSpool,
  type EventLog,
  type EventSink,
} from '@endcap/platform/event-log'
import type { Component, Need } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import { connectPostgres, type Postgres, startEmbeddedPostgres } from '@endcap/platform/postgres'
import { createMemoryStateStore, createRedisStateStore, type StateStore } from '@endcap/platform/state-store'
import { migrateClickHouse } from '@endcap/storage/clickhouse'
import { migratePostgres } from '@endcap/storage/postgres'
import { reaching } from './reaching.js'

/** What is open in this process; each part is there when a role of the process needs it. */
export interface Ports {
  readonly postgres: Postgres
  readonly clickhouse: ClickHouse
  readonly log: EventLog
  readonly state: StateStore
  /** Where ad-servers put events: the embedded log itself, or a spool on disk that is shipped to Kafka. */
  readonly sink: EventSink
  /** The spool's shipper, when there is one. */
  readonly components: readonly Component[]
  /** Closes all in the reverse order; ends the embedded Postgres. */
  close(): Promise<void>
}

/** Together with what services may take to stop, less than the 30 s that Kubernetes grants. */
const CLOSE_PATIENCE_MS = 3_000

/** One process reads them all: more would only mean more and smaller inserts into ClickHouse. */
const EMBEDDED_PARTITIONS = 1

export interface PortsOptions {
  readonly config: Config
  readonly dataDir: string
  readonly needs: ReadonlySet<Need>
  /** Apply migrations and make topics: the embedded mode, and `endcap migrate`. */
  readonly migrate: boolean
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Opens the adapters that the configuration chooses: a server where an address is given, else the embedded one.
 * When one can't be opened, those that are open are closed again.
 */
export async function openPorts({
  config,
  dataDir,
  needs,
  migrate,
  clock,
  logger,
}: PortsOptions): Promise<Ports> {
  const closers: (() => Promise<void>)[] = []
  const components: Component[] = []
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close()
  }

  async function openPostgres(): Promise<Postgres> {
    let url = config.databaseUrl
    if (!url) {
      const server = await startEmbeddedPostgres({ dir: join(dataDir, 'postgres'), logger })
      closers.push(() => server.stop())
      url = server.url
    }
    const postgres = await connectPostgres({ url, applicationName: 'endcap', logger })
    closers.push(() => patiently(postgres.close()))
    if (migrate) await migratePostgres(postgres)
    return postgres
  }

  async function openClickHouse(): Promise<ClickHouse> {
    const address = config.clickhouseUrl
      ? { url: config.clickhouseUrl }
      : { path: join(dataDir, 'clickhouse') }
    const clickhouse = await createClickHouse(address, { logger, clock })
    closers.push(() => clickhouse.close())
    if (migrate) await reaching('ClickHouse (CLICKHOUSE_URL)', () => migrateClickHouse(clickhouse))
    return clickhouse
  }

  async function openLog(): Promise<{ readonly log: EventLog; readonly sink: () => Promise<EventSink> }> {
    if (config.kafkaBrokers) {
      const log = createKafkaLog({
        brokers: config.kafkaBrokers,
        clientId: 'endcap',
        sessionTimeoutMs: config.kafkaSessionTimeoutMs,
        logger,
      })
      closers.push(() => patiently(log.close()))
      if (migrate) await reaching('Kafka (KAFKA_BROKERS)', () => log.ensureTopics(TOPIC_SPECS))
      return { log, sink: async () => openSpool(log) }
    }
    const log = createEmbeddedLog({
      dir: join(dataDir, 'log'),
      clock,
      partitions: EMBEDDED_PARTITIONS,
      onMaintenanceError: (error) => logger.error({ err: error }, 'log maintenance failed'),
    })
    closers.push(() => log.close())
    if (migrate) await log.ensureTopics(TOPIC_SPECS)
    const { logMaxBytes } = config
    const sink = async () =>
      logMaxBytes === undefined ? createDirectSink(log) : createBoundedSink(log, logMaxBytes)
    return { log, sink }
  }

  function openSpool(target: EventLog): EventSink {
    const spool = createSpool({
      dir: join(dataDir, 'spool'),
      target,
      clock,
      maxBytes: config.spoolMaxBytes,
      logger,
    })
    components.push(spool)
    return spool
  }

  async function openState(): Promise<StateStore> {
    const state = config.redisUrl
      ? await createRedisStateStore({ url: config.redisUrl, logger })
      : createMemoryStateStore({ clock })
    closers.push(() => state.close())
    // Like the migrations of the others: who sets an installation up wants to hear of a wrong address at once.
    if (migrate) await reaching('Redis (REDIS_URL)', () => state.check())
    return state
  }

  /** All at once: each mostly waits for its own server. */
  async function openAll(): Promise<Omit<Ports, 'components' | 'close'>> {
    const opening = [
      needs.has('postgres') ? openPostgres() : unopened<Postgres>('postgres'),
      needs.has('clickhouse') ? openClickHouse() : unopened<ClickHouse>('clickhouse'),
      needs.has('log') || needs.has('sink') ? openLog() : undefined,
      needs.has('state') ? openState() : unopened<StateStore>('state'),
    ] as const
    // Whichever fails, the others are open or given up before those that are open are closed.
    await Promise.allSettled(opening)
    const [postgres, clickhouse, opened, state] = await Promise.all(opening)
    return {
      postgres,
      clickhouse,
      log: opened?.log ?? unopened<EventLog>('log'),
      state,
      sink: needs.has('sink') && opened ? await opened.sink() : unopened<EventSink>('sink'),
    }
  }

  try {
    return { ...(await openAll()), components, close: closeAll }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** Neither brokers that are away nor a statement that nobody waits for any more may keep a process from ending. */
async function patiently(closing: Promise<void>): Promise<void> {
  closing.catch(() => {})
  await Promise.race([closing, delay(CLOSE_PATIENCE_MS, undefined, { ref: false })])
}

/** Stands for a port that no role of this process asked for: using it is a fault in the wiring. */
function unopened<T extends object>(name: Need): T {
  return new Proxy({} as T, {
    get(_, property) {
      if (property === 'then') return undefined
      throw new Error(`the port "${name}" is not open in this process`)
    },
  })
}
