import { TOPICS } from '@endcap/contracts'
import type { Consumer } from '@endcap/platform/event-log'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import { counterOf, histogramOf, type Registry } from '@endcap/platform/metrics'
import { readOffset } from '@endcap/storage/postgres'
import {
  BATCH_RECORDS,
  BILLING_CONSUMER,
  type Billed,
  type BillRecordsDeps,
  createBillRecords,
} from './bill-records.js'

export interface BillingDeps extends BillRecordsDeps {
  readonly logger: Logger
  readonly registry: Registry
  /** Wait up to this long to fill a batch. Default 50 ms. */
  readonly lingerMs?: number
}

/** Taken from the log together, so that one is read while another is written. */
const BATCHES_AT_ONCE = 4

/**
 * The only writer of charges: reads the interactions topic and bills it, batch by batch. Its offsets live in Postgres, in the
 * transaction that holds what they stand for, so that whatever dies, no charge is lost or doubled.
 */
export function createBilling(deps: BillingDeps): Component {
  const { log, postgres, logger, registry } = deps
  const metrics = createBillingMetrics(registry)
  const billRecords = createBillRecords({
    ...deps,
    onLost(range) {
      metrics.lost.inc(Number(range.to - range.from))
      logger.error(range, 'the log no longer holds interactions that were not billed')
    },
  })
  const troubles = new Map<number, string>()
  let consumer: Consumer | undefined
  let failure: string | undefined
  let reportFailure = (_error: unknown): void => {}

  return {
    name: 'billing',

    async start() {
      consumer = await log.consume({
        group: BILLING_CONSUMER,
        topics: [TOPICS.interactions],
        maxBatchRecords: BATCHES_AT_ONCE * (deps.maxBatchRecords ?? BATCH_RECORDS),
        lingerMs: deps.lingerMs ?? 50,
        startOffset: (topic, partition) =>
          readOffset(postgres, { consumer: BILLING_CONSUMER, topic, partition }),
        async handler(batch) {
          const end = metrics.duration.startTimer()
          for (const billed of await billRecords(batch)) metrics.count(billed)
          end()
          troubles.delete(batch.partition)
        },
        onError(error, { partition }) {
          logger.error(
            { err: error, partition },
            'a batch of interactions could not be billed; it is tried again',
          )
          troubles.set(partition, sentenceOf(error))
        },
      })
      consumer.failed.catch((error: unknown) => {
        failure = `billing can no longer read the log: ${sentenceOf(error)}`
        logger.error({ err: error }, 'billing can no longer read the log')
        reportFailure(error)
      })
    },

    async stop() {
      await consumer?.stop()
    },

    problem() {
      const [trouble] = troubles.values()
      return failure ?? (trouble && `interactions cannot be billed: ${trouble}`)
    },

    onFailure(report) {
      reportFailure = report
    },
  }
}

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function createBillingMetrics(registry: Registry) {
  const records = counterOf(registry, {
    name: 'endcap_billing_records_total',
    help: 'Records of the interactions topic that billing has passed',
  })
  const malformed = counterOf(registry, {
    name: 'endcap_billing_malformed_total',
    help: 'Records that billing could not read as an interaction',
  })
  const verdicts = counterOf(registry, {
    name: 'endcap_billing_verdicts_total',
    help: 'Verdicts by outcome and reason',
    labelNames: ['outcome', 'reason'],
  })
  const free = counterOf(registry, {
    name: 'endcap_billing_free_total',
    help: 'Valid interactions that cost nothing under their pricing',
  })
  const waits = counterOf(registry, {
    name: 'endcap_billing_waits_total',
    help: 'Clicks that came before their impression and waited for it beyond their batch',
  })
  const unplaced = counterOf(registry, {
    name: 'endcap_billing_unplaced_total',
    help: 'Sponsored interactions that no charge row could be written for, by reason',
    labelNames: ['reason'],
  })
  const duration = histogramOf(registry, {
    name: 'endcap_billing_batch_duration_seconds',
    help: 'Duration of one batch, from records to commit',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  })
  const lost = counterOf(registry, {
    name: 'endcap_billing_lost_records_total',
    help: 'Records that the log had given up before billing read them: money that nobody will be charged',
  })
  return {
    duration,
    lost,
    count(billed: Billed) {
      records.inc(billed.records)
      malformed.inc(billed.malformed)
      for (const { outcome, reason } of billed.verdicts) verdicts.inc({ outcome, reason })
      free.inc(billed.free.length)
      waits.inc(billed.waits.length)
      for (const { reason } of billed.unplaced) unplaced.inc({ reason })
    },
  }
}
