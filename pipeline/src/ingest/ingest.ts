import type { Clock } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import { type Consumer, consumeInRanges, type EventLog } from '@endcap/platform/event-log'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import { counterOf, gaugeOf, histogramOf } from '@endcap/platform/metrics'
import { createIngestRange, type RangeCounts } from './ingest-range.js'
import { INGESTED_TOPICS } from './plans.js'
import { INGEST_GROUP, ingestedThrough } from './progress.js'

export interface IngestDeps {
  readonly log: EventLog
  /** Migrated. */
  readonly clickhouse: ClickHouse
  readonly clock: Clock
  readonly logger: Logger
  readonly registry: Registry
  /** Records that are stored together. Default 10,000. */
  readonly maxRangeRecords?: number
  /** Waits up to this long to fill a range: fewer, larger inserts. Default 1 s. */
  readonly lingerMs?: number
  /** First pause after a failure; it grows to 10 s. Default 250 ms. */
  readonly retryDelayMs?: number
}

/**
 * Brings the log into ClickHouse: every event exactly once, in the raw tables and in the rollups that hang on them, whatever is killed
 * on the way. While ClickHouse is away it tries again for ever and says so in `problem()`; the log keeps what is waiting.
 */
export function createIngest(deps: IngestDeps): Component {
  const { log, logger } = deps
  const metrics = createIngestMetrics(deps)
  const ingestRange = createIngestRange({
    ...deps,
    onInsert: metrics.inserted,
    onMended(table, batch) {
      metrics.mended(table)
      logger.warn({ table, batch }, 'what a fault had taken of a batch was stored again')
    },
  })
  const troubles = new Map<string, string>()
  let consumer: Consumer | undefined
  let failure: string | undefined
  let reportFailure = (_error: unknown): void => {}

  return {
    name: 'ingest',

    async start() {
      consumer = await consumeInRanges(log, {
        group: INGEST_GROUP,
        topics: INGESTED_TOPICS,
        maxRangeRecords: deps.maxRangeRecords ?? 10_000,
        lingerMs: deps.lingerMs ?? 1_000,
        retryDelayMs: deps.retryDelayMs ?? 250,
        async handler(range) {
          const counts = await ingestRange(range)
          metrics.handled(range.topic, counts)
          if (counts.deadLetter > 0) {
            logger.warn({ range: range.token, ...counts }, 'records became dead letters')
          }
          troubles.delete(`${range.topic}:${range.partition}`)
        },
        onError(error, { topic, partition }) {
          logger.error({ err: error, topic, partition }, 'a range could not be stored; it is tried again')
          troubles.set(`${topic}:${partition}`, sentenceOf(error))
        },
      })
      consumer.failed.catch((error: unknown) => {
        failure = `ingest can no longer read the log: ${sentenceOf(error)}`
        logger.error({ err: error }, 'ingest can no longer read the log')
        reportFailure(error)
      })
    },

    async stop() {
      await consumer?.stop()
    },

    problem() {
      const [trouble] = troubles
      return failure ?? (trouble && `${trouble[0]} cannot be stored: ${trouble[1]}`)
    },

    onFailure(report) {
      reportFailure = report
    },
  }
}

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function createIngestMetrics({ registry, log }: Pick<IngestDeps, 'registry' | 'log'>) {
  const rows = counterOf(registry, {
    name: 'endcap_ingest_rows_total',
    help: 'Rows sent to ClickHouse, by table',
    labelNames: ['table'],
  })
  const records = counterOf(registry, {
    name: 'endcap_ingest_records_total',
    help: 'Records of the log by topic and what became of them: stored, duplicate, unstored, dead_letter',
    labelNames: ['topic', 'outcome'],
  })
  const duration = histogramOf(registry, {
    name: 'endcap_ingest_insert_duration_seconds',
    help: 'Duration of one insert, by table',
    labelNames: ['table'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  })
  const mended = counterOf(registry, {
    name: 'endcap_ingest_mended_total',
    help: 'Shares of a batch that a fault had taken or doubled and that were mended, by table',
    labelNames: ['table'],
  })
  gaugeOf(registry, {
    name: 'endcap_ingest_lag_records',
    help: 'Records in the log that are not yet stored, by topic',
    labelNames: ['topic'],
    async collect() {
      const lags = new Map<string, number>()
      for (const { topic, lag } of await ingestedThrough(log).catch(() => [])) {
        lags.set(topic, (lags.get(topic) ?? 0) + Number(lag))
      }
      for (const [topic, lag] of lags) this.set({ topic }, lag)
    },
  })
  return {
    inserted(table: string, count: number, seconds: number) {
      rows.inc({ table }, count)
      duration.observe({ table }, seconds)
    },
    mended(table: string) {
      mended.inc({ table })
    },
    handled(topic: string, counts: RangeCounts) {
      records.inc({ topic, outcome: 'stored' }, counts.stored)
      records.inc({ topic, outcome: 'duplicate' }, counts.duplicate)
      records.inc({ topic, outcome: 'unstored' }, counts.unstored)
      records.inc({ topic, outcome: 'dead_letter' }, counts.deadLetter)
    },
  }
}
