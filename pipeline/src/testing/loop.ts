import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, createIdSource, type InteractionEvent, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import { createEmbeddedLog, type EmbeddedLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { createOutboxRelay } from '@endcap/storage/postgres'
import { startTestClickHouse, startTestPostgres } from '@endcap/storage/testing'
import { createBilling } from '../billing/index.js'
import { createIngest } from '../ingest/index.js'
import { waitUntilSettled } from '../reconcile/wait-until-settled.js'
import { recordOf, TOKEN_KEYS } from './marketplace.js'

const SETTLED_WITHIN_MS = 60_000

export interface LoopOptions {
  /** Of billing, ingest and the relay. */
  readonly clock: Clock
  /** When records are appended; default: `clock`. */
  readonly logClock?: Clock
  /** Records a transaction of billing, and a range of ingest. */
  readonly maxBatchRecords?: number
  readonly maxRangeRecords?: number
}

/** Log, Postgres and ClickHouse with everything that carries events between them, each real and in this process. */
export interface Loop {
  readonly postgres: Postgres
  readonly clickhouse: ClickHouse
  readonly log: EmbeddedLog
  /** Starts billing, relay and ingest. Before, what is appended lies in the log. */
  start(): Promise<void>
  append(events: readonly InteractionEvent[]): Promise<void>
  /** Resolves when all of the log is billed, relayed and stored. */
  settled(): Promise<void>
  /** What verification and repair need. */
  deps(clock?: Clock): {
    readonly postgres: Postgres
    readonly clickhouse: ClickHouse
    readonly log: EmbeddedLog
    readonly tokenKeys: typeof TOKEN_KEYS
    readonly clock: Clock
  }
  stop(): Promise<void>
}

export async function startLoop({ clock, logClock = clock, ...sizes }: LoopOptions): Promise<Loop> {
  const database = await startTestPostgres()
  const engine = await startTestClickHouse()
  const dir = await mkdtemp(join(tmpdir(), 'endcap-loop-'))
  const log = createEmbeddedLog({ dir, clock: logClock })
  await log.ensureTopics(TOPIC_SPECS)
  const { postgres } = database
  const { clickhouse } = engine
  const registry = createMetrics({ service: 'test' })
  const shared = {
    log,
    postgres,
    clock,
    ids: createIdSource(),
    logger: silentLogger(),
    tokenKeys: TOKEN_KEYS,
    registry,
  }
  const components = [
    createIngest({ ...shared, clickhouse, lingerMs: 10, maxRangeRecords: sizes.maxRangeRecords }),
    createOutboxRelay({ ...shared, metrics: registry }),
    createBilling({ ...shared, lingerMs: 5, maxBatchRecords: sizes.maxBatchRecords }),
  ]
  return {
    postgres,
    clickhouse,
    log,
    async start() {
      for (const component of components) await component.start()
    },
    async append(events) {
      await log.append(TOPICS.interactions, events.map(recordOf))
    },
    settled: () => waitUntilSettled({ postgres, log }, SETTLED_WITHIN_MS),
    deps: (at = clock) => ({ postgres, clickhouse, log, tokenKeys: TOKEN_KEYS, clock: at }),
    async stop() {
      for (const component of [...components].reverse()) await component.stop()
      await log.close()
      await engine.close()
      await database.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
