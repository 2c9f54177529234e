import { setTimeout as delay } from 'node:timers/promises'
import type { Topic } from '@endcap/contracts'
import type { EachBatchPayload, Kafka, Consumer as KafkaConsumer } from 'kafkajs'
import { UnknownTopicError } from '../errors.js'
import {
  type Batch,
  type CommittedOffset,
  type ConsumeOptions,
  type Consumer,
  type LogRecord,
  type OffsetRange,
  StaleConsumerError,
} from '../event-log.js'
import { assertMetadata } from '../limits.js'
import type { LogLogger } from '../logger.js'
import { isMoved, isUnknownTopic } from './kafka-errors.js'
import { recordOf } from './kafka-record.js'

const DEFAULT_BATCH_RECORDS = 1000
const DEFAULT_LINGER_MS = 50
const DEFAULT_RETRY_MS = 200
const LONGEST_RETRY_MS = 10_000
const RESTART_MS = 500
/** While its brokers are away the client never stops: after this long it is left behind. */
const STOP_PATIENCE_MS = 3000
const HEARTBEAT_MS = 1000
const IDLE_FETCH_MS = 500
const RECORD_BYTES_GUESS = 256
const MIB = 1024 * 1024
/**
 * Partitions of one consumer that are handled beside each other; within a partition it stays one by one. More than any
 * consumer has: a batch that queued in the client through a rebalance would be taken for one of the new assignment.
 */
const CONCURRENT_PARTITIONS = 256
export interface GroupConsumerDeps {
  readonly kafka: Kafka
  readonly options: ConsumeOptions
  readonly sessionTimeoutMs: number
  readonly logger: LogLogger | undefined
  readonly committed: (group: string, topic: Topic) => Promise<ReadonlyMap<number, CommittedOffset>>
  readonly rangeOf: (topic: Topic, partition: number) => Promise<OffsetRange>
}

/** One partition for as long as this consumer has it: a rebalance makes new ones. */
interface Assignment {
  readonly topic: Topic
  readonly partition: number
  committed: CommittedOffset | undefined
  retryDelayMs: number
  readonly prepared: Promise<void>
}

/**
 * Consumes through a Kafka consumer group. What the client library leaves open is settled here: batches of a partition
 * never overlap, even across a rebalance; a handler that throws pauses its own partition only; offsets are committed by
 * the owner of the moment only; a start offset of the caller's is fetched from exactly there.
 */
export async function startGroupConsumer(deps: GroupConsumerDeps): Promise<Consumer> {
  const consumer = new GroupConsumer(deps)
  await consumer.start()
  return consumer
}

class GroupConsumer implements Consumer {
  readonly failed: Promise<never>
  private fail: (error: Error) => void = () => {}
  private release: (never: never) => void = () => {}
  /** A new one each time that the library gives up on the old one. */
  private client: KafkaConsumer
  private startingAgain: Promise<void> | undefined
  private assignments = new Map<string, Assignment>()
  /** The end of the work in hand, by partition: it outlives the assignment it began in. */
  private readonly busy = new Map<string, Promise<void>>()
  private readonly resumeTimers = new Set<NodeJS.Timeout>()
  private stopping: Promise<void> | undefined
  private ended = false
  private readonly batchRecords: number

  constructor(private readonly deps: GroupConsumerDeps) {
    this.failed = new Promise<never>((resolve, reject) => {
      this.fail = reject
      this.release = resolve
    })
    // Whoever does not listen is not killed by an unhandled rejection.
    this.failed.catch(() => {})
    this.batchRecords = deps.options.maxBatchRecords ?? DEFAULT_BATCH_RECORDS
    this.client = this.createClient()
  }

  private createClient(): KafkaConsumer {
    const { options, kafka, sessionTimeoutMs, logger } = this.deps
    const lingerMs = options.lingerMs ?? DEFAULT_LINGER_MS
    const client = kafka.consumer({
      groupId: options.group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: 60_000,
      heartbeatInterval: HEARTBEAT_MS,
      allowAutoTopicCreation: false,
      minBytes: lingerMs > 0 ? Math.min(this.batchRecords * RECORD_BYTES_GUESS, MIB) : 1,
      maxWaitTimeInMs: lingerMs > 0 ? Math.max(lingerMs, 10) : IDLE_FETCH_MS,
      maxBytesPerPartition: Math.min(Math.max(this.batchRecords * 1024, MIB), 8 * MIB),
      retry: { initialRetryTime: 100, maxRetryTime: 3000, retries: 10 },
    })
    client.on(client.events.GROUP_JOIN, ({ payload }) => {
      if (client === this.client) this.assign(payload.memberAssignment)
    })
    client.on(client.events.CRASH, ({ payload }) => {
      if (client !== this.client || this.stopping) return
      this.assignments = new Map()
      logger?.warn({ err: payload.error, group: options.group }, 'the consumer starts again after an error')
      // The library restarts after some errors only; a broker that is away for long is not among them.
      if (!payload.restart) this.startingAgain ??= this.startAgain()
    })
    return client
  }

  async start(): Promise<void> {
    try {
      await this.run()
    } catch (error) {
      this.ended = true
      await this.client.disconnect().catch(() => {})
      throw this.explain(error)
    }
  }

  private async run(): Promise<void> {
    const { options } = this.deps
    await this.client.connect()
    await this.client.subscribe({ topics: [...options.topics], fromBeginning: options.from !== 'latest' })
    await this.client.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
      eachBatch: (payload) => this.onFetched(payload),
    })
  }

  private explain(error: unknown): unknown {
    if (!isUnknownTopic(error)) return error
    const topics = this.deps.options.topics.join(', ')
    return new UnknownTopicError(`one of the topics ${topics} does not exist`, { cause: error })
  }

  /** With a new client, until it works or the consumer is stopped; a topic that is gone is beyond repair. */
  private async startAgain(): Promise<void> {
    const { options, logger } = this.deps
    let delay = RESTART_MS
    while (!this.stopping) {
      await new Promise((resolve) => setTimeout(resolve, delay))
      await this.client.disconnect().catch(() => {})
      if (this.stopping) break
      this.client = this.createClient()
      try {
        await this.run()
        break
      } catch (error) {
        if (isUnknownTopic(error)) {
          this.ended = true
          logger?.error({ err: error, group: options.group }, 'the consumer cannot go on')
          this.fail(this.explain(error) as Error)
          break
        }
        logger?.warn({ err: error, group: options.group }, 'the consumer could not start again yet')
        delay = Math.min(delay * 2, LONGEST_RETRY_MS)
      }
    }
    this.startingAgain = undefined
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown()
    return this.stopping
  }

  private async shutDown(): Promise<void> {
    await patiently(this.startingAgain)
    await patiently(this.client.stop())
    this.ended = true
    this.assignments = new Map()
    for (const timer of this.resumeTimers) clearTimeout(timer)
    await Promise.all(this.busy.values())
    await patiently(this.client.disconnect())
    this.release(undefined as never)
  }

  private assign(memberAssignment: Readonly<Record<string, number[]>>): void {
    const assignments = new Map<string, Assignment>()
    for (const [topic, partitions] of Object.entries(memberAssignment)) {
      for (const partition of partitions) {
        const assignment: Assignment = {
          topic: topic as Topic,
          partition,
          committed: undefined,
          retryDelayMs: this.deps.options.retryDelayMs ?? DEFAULT_RETRY_MS,
          // In a later turn, so that the new assignments are in force by then.
          prepared: Promise.resolve().then(() => this.prepare(assignment)),
        }
        assignments.set(placeOf(topic, partition), assignment)
      }
    }
    this.assignments = assignments
  }

  private isCurrent(assignment: Assignment): boolean {
    return !this.ended && this.assignments.get(placeOf(assignment.topic, assignment.partition)) === assignment
  }

  /** Finds out where this assignment starts. Tried until it works or the partition has moved on. */
  private async prepare(assignment: Assignment): Promise<void> {
    const { topic, partition } = assignment
    const { options } = this.deps
    let delay = options.retryDelayMs ?? DEFAULT_RETRY_MS
    while (this.isCurrent(assignment)) {
      try {
        const own = await options.startOffset?.(topic, partition)
        const committed = (await this.deps.committed(options.group, topic)).get(partition)
        if (own === undefined && committed === undefined) return
        const { first, end } = await this.deps.rangeOf(topic, partition)
        if (!this.isCurrent(assignment)) return
        // Offsets beyond the end were never written to this log: it lost records, and which ones were read is unknown.
        const isLost = (offset: bigint | undefined) => offset !== undefined && offset > end
        assignment.committed = isLost(committed?.next) ? undefined : committed
        if (own !== undefined) this.seek(assignment, isLost(own) ? first : own)
        else if (isLost(committed?.next)) this.seek(assignment, first)
        return
      } catch (error) {
        options.onError?.(error, { topic, partition })
        await new Promise((resolve) => setTimeout(resolve, delay))
        delay = Math.min(delay * 2, LONGEST_RETRY_MS)
      }
    }
  }

  private seek(assignment: Assignment, offset: bigint): void {
    this.client.seek({ topic: assignment.topic, partition: assignment.partition, offset: offset.toString() })
  }

  private async onFetched(payload: EachBatchPayload): Promise<void> {
    const { topic, partition } = payload.batch
    const place = placeOf(topic, partition)
    const assignment = this.assignments.get(place)
    if (!assignment) return
    const stopHeartbeats = keepAlive(payload)
    try {
      // Work of an earlier assignment may still run: two batches of a partition never overlap.
      while (this.busy.has(place)) await this.busy.get(place)
      const work = this.handleFetched(payload, assignment)
      const done = work.then(
        () => {},
        () => {},
      )
      this.busy.set(
        place,
        done.finally(() => this.busy.delete(place)),
      )
      await work
    } finally {
      stopHeartbeats()
    }
  }

  /** Offsets that are not resolved when this returns are fetched again. */
  private async handleFetched(payload: EachBatchPayload, assignment: Assignment): Promise<void> {
    await assignment.prepared
    // Stale: fetched from where the client stood before it was told to start elsewhere.
    if (!this.isCurrent(assignment) || payload.isStale()) return
    const { messages } = payload.batch
    for (let from = 0; from < messages.length; from += this.batchRecords) {
      if (!this.isCurrent(assignment) || !payload.isRunning()) return
      const records = messages.slice(from, from + this.batchRecords).map(recordOf)
      try {
        await this.deps.options.handler(this.batchOf(payload, assignment, records))
      } catch (error) {
        this.pause(payload, assignment, error)
        return
      }
      assignment.retryDelayMs = this.deps.options.retryDelayMs ?? DEFAULT_RETRY_MS
      if (this.isCurrent(assignment)) payload.resolveOffset(records.at(-1)!.offset.toString())
    }
  }

  /** The same records come again after a pause, while the other partitions go on. */
  private pause(payload: EachBatchPayload, assignment: Assignment, error: unknown): void {
    if (!this.isCurrent(assignment)) return
    const { topic, partition } = assignment
    this.deps.options.onError?.(error, { topic, partition })
    const resume = payload.pause()
    const timer = setTimeout(() => {
      this.resumeTimers.delete(timer)
      if (!this.ended) resume()
    }, assignment.retryDelayMs)
    this.resumeTimers.add(timer)
    assignment.retryDelayMs = Math.min(assignment.retryDelayMs * 2, LONGEST_RETRY_MS)
  }

  private batchOf(payload: EachBatchPayload, assignment: Assignment, records: readonly LogRecord[]): Batch {
    const { topic, partition } = assignment
    const isStale = () => !this.isCurrent(assignment)
    const stale = (cause?: unknown) =>
      new StaleConsumerError(
        `${topic}:${partition} belongs to another consumer of ${this.deps.options.group}`,
        { cause },
      )
    return {
      topic,
      partition,
      records,
      get committed() {
        return assignment.committed
      },
      isStale,
      commit: async (next, metadata = '') => {
        if (isStale()) throw stale()
        assertMetadata(metadata)
        await this.commit(payload, assignment, { next, metadata }).catch((error: unknown) => {
          throw isMoved(error) ? stale(error) : error
        })
      },
      heartbeat: async () => {
        // A rebalance shows at the next fetch; until then this consumer is the owner and may commit.
        await payload.heartbeat().catch(() => {})
      },
    }
  }

  private async commit(
    payload: EachBatchPayload,
    assignment: Assignment,
    progress: CommittedOffset,
  ): Promise<void> {
    const { topic, partition } = assignment
    // The client's type leaves the metadata out; its protocol encoder takes it.
    const offset = { partition, offset: progress.next.toString(), metadata: progress.metadata }
    await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [offset] }] })
    assignment.committed = progress
  }
}

async function patiently(work: Promise<unknown> | undefined): Promise<void> {
  work?.catch(() => {})
  await Promise.race([work, delay(STOP_PATIENCE_MS, undefined, { ref: false })])
}

const placeOf = (topic: string, partition: number): string => `${topic}:${partition}`

/** Heartbeats while a handler works, so that slow work does not cost the partition. */
function keepAlive(payload: EachBatchPayload): () => void {
  const timer = setInterval(() => {
    payload.heartbeat().catch(() => {})
  }, HEARTBEAT_MS)
  return () => clearInterval(timer)
}
