import { randomUUID } from 'node:crypto'
import type { Topic, TopicSpec } from '@endcap/contracts'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { LogClosedError, UnknownTopicError } from './errors.js'
import {
  BackPressureError,
  type CommittedOffset,
  type ConsumeOptions,
  type Consumer,
  type Durability,
  type EventLog,
  type LogRecord,
  type NewRecord,
  type OffsetRange,
} from './event-log.js'
import { startGroupConsumer } from './kafka/group-consumer.js'
import { isUnknownTopic } from './kafka/kafka-errors.js'
import { scanPartition } from './kafka/partition-scan.js'
import { TopicWriter } from './kafka/topic-writer.js'
import { recordBytes } from './limits.js'
import type { LogLogger } from './logger.js'

export interface KafkaLogOptions {
  /** host:port of some brokers. */
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly logger?: LogLogger
  /** More than this waiting for the brokers: `append` throws BackPressureError. Default 64 MiB. */
  readonly maxPendingBytes?: number
  /** How long `append` tries again while the brokers are away. Default 30 s. */
  readonly appendTimeoutMs?: number
  /** A consumer that is silent for this long loses its partitions. Default 15 s. */
  readonly sessionTimeoutMs?: number
  /** Names the throw-away groups of `read`. */
  readonly uuid?: () => string
}

const ADMIN_ATTEMPTS = 5
const ADMIN_RETRY_MS = 200
const TOPIC_EXISTS = 'TOPIC_ALREADY_EXISTS'

/** The event log on Kafka ≥ 3.9. Brokers that are away are waited for within limits; then the call throws. */
export function createKafkaLog(options: KafkaLogOptions): EventLog {
  return new BrokerLog(options)
}

class BrokerLog implements EventLog {
  private readonly kafka: Kafka
  private readonly writers = new Map<Topic, TopicWriter>()
  private readonly consumers = new Set<Consumer>()
  private admin: Promise<Admin> | undefined
  private closing: Promise<void> | undefined

  constructor(private readonly options: KafkaLogOptions) {
    this.kafka = new Kafka({
      brokers: [...options.brokers],
      clientId: options.clientId,
      connectionTimeout: 3000,
      requestTimeout: 15_000,
      // Callers retry: what multiplies their attempts stays small.
      retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 2 },
      logLevel: logLevel.INFO,
      // The library logs what it retries as errors. What really failed is thrown or told to `failed`, and logged there.
      logCreator:
        () =>
        ({ namespace, log }) => {
          options.logger?.debug({ namespace, kafka: log }, log.message)
        },
    })
  }

  private assertOpen(): void {
    if (this.closing) throw new LogClosedError('the log is closed')
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    const existing = new Set(await this.withAdmin((admin) => admin.listTopics()))
    for (const spec of specs) {
      if (existing.has(spec.name)) continue
      await this.withAdmin((admin) => createTopic(admin, spec))
    }
  }

  async append(topic: Topic, records: readonly NewRecord[], _durability?: Durability): Promise<void> {
    this.assertOpen()
    if (records.length === 0) return
    let bytes = 0
    for (const record of records) bytes += recordBytes(record)
    let pending = 0
    for (const writer of this.writers.values()) pending += writer.pendingBytes
    const limit = this.options.maxPendingBytes ?? 64 * 1024 * 1024
    if (pending > 0 && pending + bytes > limit) {
      throw new BackPressureError(`${pending} bytes wait for the brokers; the limit is ${limit}`)
    }
    let writer = this.writers.get(topic)
    if (!writer) {
      writer = new TopicWriter(this.kafka, topic, this.options.appendTimeoutMs ?? 30_000)
      this.writers.set(topic, writer)
    }
    await writer.append(records)
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    this.assertOpen()
    const inner = await startGroupConsumer({
      kafka: this.kafka,
      options,
      sessionTimeoutMs: this.options.sessionTimeoutMs ?? 15_000,
      logger: this.options.logger,
      committed: (group, topic) => this.committed(group, topic),
      rangeOf: (topic, partition) => this.rangeOf(topic, partition),
    })
    const consumer: Consumer = {
      failed: inner.failed,
      stop: async () => {
        this.consumers.delete(consumer)
        await inner.stop()
      },
    }
    this.consumers.add(consumer)
    return consumer
  }

  async *read(
    topic: Topic,
    partition: number,
    from: bigint,
    to?: bigint,
  ): AsyncGenerator<readonly LogRecord[]> {
    const range = await this.rangeOf(topic, partition)
    const deleted = from < range.first
    const first = deleted ? range.first : from
    const end = to !== undefined && to < range.end ? to : range.end
    if (first >= end) return
    const group = `endcap.read.${(this.options.uuid ?? randomUUID)()}`
    try {
      yield* scanPartition({ kafka: this.kafka, group }, topic, partition, first, end)
    } finally {
      // A group that is left behind is empty and expires by itself.
      await this.withAdmin((admin) => admin.deleteGroups([group])).catch((error: unknown) =>
        this.options.logger?.debug({ err: error, group }, 'the group of a finished read was not deleted'),
      )
    }
  }

  async ranges(topic: Topic): Promise<readonly OffsetRange[]> {
    const partitions = await this.withAdmin((admin) => admin.fetchTopicOffsets(topic), topic)
    return partitions
      .map(({ partition, low, high }) => ({ partition, first: BigInt(low), end: BigInt(high) }))
      .sort((a, b) => a.partition - b.partition)
  }

  private async rangeOf(topic: Topic, partition: number): Promise<OffsetRange> {
    const range = (await this.ranges(topic)).find((candidate) => candidate.partition === partition)
    if (!range) throw new UnknownTopicError(`${topic} has no partition ${partition}`)
    return range
  }

  async committed(group: string, topic: Topic): Promise<ReadonlyMap<number, CommittedOffset>> {
    const [answer] = await this.withAdmin(
      (admin) => admin.fetchOffsets({ groupId: group, topics: [topic] }),
      topic,
    )
    const found = new Map<number, CommittedOffset>()
    for (const { partition, offset, metadata } of answer?.partitions ?? []) {
      const next = BigInt(offset)
      if (next >= 0n) found.set(partition, { next, metadata: metadata ?? '' })
    }
    return found
  }

  async check(): Promise<void> {
    this.assertOpen()
    const admin = await this.connectedAdmin()
    try {
      await admin.describeCluster()
    } catch (error) {
      this.discardAdmin()
      throw error
    }
  }

  /** Runs a request to the brokers; after an error it runs again on a fresh connection, a few times. */
  private async withAdmin<T>(request: (admin: Admin) => Promise<T>, topic?: Topic): Promise<T> {
    this.assertOpen()
    for (let attempt = 1; ; attempt++) {
      try {
        return await request(await this.connectedAdmin())
      } catch (error) {
        if (topic !== undefined && isUnknownTopic(error)) {
          throw new UnknownTopicError(`there is no topic ${topic}`, { cause: error })
        }
        this.discardAdmin()
        if (attempt === ADMIN_ATTEMPTS || this.closing) throw error
        await new Promise((resolve) => setTimeout(resolve, ADMIN_RETRY_MS * attempt))
      }
    }
  }

  private connectedAdmin(): Promise<Admin> {
    this.admin ??= (async () => {
      const admin = this.kafka.admin()
      try {
        await admin.connect()
        return admin
      } catch (error) {
        this.admin = undefined
        throw error
      }
    })()
    return this.admin
  }

  private discardAdmin(): void {
    const discarded = this.admin
    this.admin = undefined
    discarded?.then((admin) => admin.disconnect()).catch(() => {})
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  private async shutDown(): Promise<void> {
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()))
    await Promise.all([...this.writers.values()].map((writer) => writer.close()))
    const admin = await this.admin?.catch(() => undefined)
    await admin?.disconnect()
  }
}

async function createTopic(admin: Admin, spec: TopicSpec): Promise<void> {
  try {
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: spec.name,
          numPartitions: spec.partitions,
          // The brokers' own default.
          replicationFactor: -1,
          configEntries: [
            { name: 'cleanup.policy', value: spec.compacted ? 'compact' : 'delete' },
            { name: 'retention.ms', value: spec.retentionMs > 0 ? String(spec.retentionMs) : '-1' },
          ],
        },
      ],
    })
  } catch (error) {
    // Another process made it between the question and the call.
    if (isTopicExists(error)) return
    throw error
  }
}

function isTopicExists(error: unknown): boolean {
  const { type, errors } = error as { type?: string; errors?: readonly unknown[] }
  return type === TOPIC_EXISTS || (errors?.some(isTopicExists) ?? false)
}
