import type { Topic } from '@endcap/contracts'
import type { EachBatchPayload, Kafka } from 'kafkajs'
import type { LogRecord } from '../event-log.js'
import { recordOf } from './kafka-record.js'

export interface PartitionScanDeps {
  readonly kafka: Kafka
  /** A group of this scan's own; the caller deletes it afterwards. */
  readonly group: string
}

/**
 * Reads [from, end) of one partition; both must be readable, and a record at `end − 1` or later must exist. The client
 * library fetches only as a member of a group, so the scan is a group of one that commits nothing.
 */
export async function* scanPartition(
  deps: PartitionScanDeps,
  topic: Topic,
  partition: number,
  from: bigint,
  end: bigint,
): AsyncGenerator<readonly LogRecord[]> {
  const consumer = deps.kafka.consumer({
    groupId: deps.group,
    allowAutoTopicCreation: false,
    heartbeatInterval: 1000,
    maxWaitTimeInMs: 200,
    retry: { initialRetryTime: 100, maxRetryTime: 2000, retries: 8 },
  })
  let next = from
  let offered: readonly LogRecord[] | undefined
  let failure: Error | undefined
  let stopped = false
  let wake: () => void = () => {}
  let taken: () => void = () => {}

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const others = (payload.memberAssignment[topic] ?? []).filter((number) => number !== partition)
    if (others.length > 0) consumer.pause([{ topic, partitions: others }])
    consumer.seek({ topic, partition, offset: next.toString() })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return
    failure = payload.error
    wake()
  })

  async function onFetched({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    if (batch.partition !== partition || stopped) return
    const records = batch.messages.map(recordOf).filter(({ offset }) => offset >= next && offset < end)
    const last = BigInt(batch.lastOffset())
    if (last >= next) next = last + 1n
    const alive = setInterval(() => {
      heartbeat().catch(() => {})
    }, 1000)
    await new Promise<void>((resolve) => {
      taken = resolve
      offered = records
      wake()
    })
    clearInterval(alive)
    resolveOffset(batch.lastOffset())
  }

  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: onFetched })
    for (;;) {
      while (!offered && !failure) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      if (failure) throw failure
      const records: readonly LogRecord[] = offered!
      offered = undefined
      if (records.length > 0) yield records
      if (next >= end) return
      taken()
    }
  } finally {
    stopped = true
    taken()
    await consumer.disconnect()
  }
}
