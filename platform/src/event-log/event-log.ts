import type { Topic, TopicSpec } from '@endcap/contracts'

/** A record to append. Records of one key go to one partition and keep their order there. */
export interface NewRecord {
  readonly key: string
  /** JSON of an event envelope, UTF-8; null deletes the key from a compacted topic. */
  readonly value: string | null
  readonly headers?: Readonly<Record<string, string>>
}

export interface LogRecord extends NewRecord {
  readonly offset: bigint
  readonly appendedAtMs: number
  readonly headers: Readonly<Record<string, string>>
}

/** `written`: survives the death of the process. `synced`: survives the death of the machine too (group fsync; broker ack −1). */
export type Durability = 'written' | 'synced'

/** A group's progress in one partition: the next offset to read, and a note kept with it. */
export interface CommittedOffset {
  readonly next: bigint
  readonly metadata: string
}

export interface Batch {
  readonly topic: Topic
  readonly partition: number
  /** In offset order, never empty; offsets may have gaps in a compacted topic. */
  readonly records: readonly LogRecord[]
  /** What the group had committed when this partition was assigned or last committed here. */
  readonly committed: CommittedOffset | undefined
  /** Stores the group's progress durably; `metadata` at most 1 kB. A stale owner's commit is refused with StaleConsumerError. */
  commit(next: bigint, metadata?: string): Promise<void>
  /** True once the partition has moved to another consumer: stop and write nothing more. */
  isStale(): boolean
  /** Call between slices of long work, or the partition is taken away (Kafka). */
  heartbeat(): Promise<void>
}

export interface ConsumeOptions {
  /** Consumers of one group share the partitions. */
  readonly group: string
  readonly topics: readonly Topic[]
  /** Where a group without committed offset starts. Default `earliest`. */
  readonly from?: 'earliest' | 'latest'
  /**
   * Where to start instead of the committed offset, asked on each assignment: for consumers that keep
   * their offsets elsewhere (in the transaction that holds their effects). An offset beyond the end means that the log
   * lost records: reading starts at the first one that is left, because skipping is worse than repeating.
   */
  readonly startOffset?: (topic: Topic, partition: number) => Promise<bigint | undefined>
  /** At most this many records a batch. Default 1000. */
  readonly maxBatchRecords?: number
  /** Wait up to this long to fill a batch. Default 50 ms. */
  readonly lingerMs?: number
  /**
   * Batches of one partition come strictly one after another. A handler that returns without committing gets the following records next
   * (its offsets are its own business). A handler that throws: the same records come again after a pause (`retryDelayMs`, growing to 10 s);
   * `onError` hears of it.
   */
  readonly handler: (batch: Batch) => Promise<void>
  readonly onError?: (error: unknown, where: { topic: Topic; partition: number }) => void
  readonly retryDelayMs?: number
}

export interface Consumer {
  /** Resolves when the work in hand is done and the partitions are given back. */
  stop(): Promise<void>
  /** Rejects when the consumer can no longer work (the process should become unready and exit); never resolves otherwise, except on stop. */
  readonly failed: Promise<never>
}

/** [first, end) of the readable offsets of one partition. */
export interface OffsetRange {
  readonly partition: number
  readonly first: bigint
  readonly end: bigint
}

/**
 * The event log: partitioned topics of ordered records, read by groups at least once.
 * Two adapters (embedded segments on disk; Kafka) keep one contract suite: `event-log.suite.ts`.
 */
export interface EventLog {
  /** Creates missing topics; existing ones stay as they are. */
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>
  /** Resolves when all records are durable, in order. Throws BackPressureError when too much is waiting. */
  append(topic: Topic, records: readonly NewRecord[], durability?: Durability): Promise<void>
  consume(options: ConsumeOptions): Promise<Consumer>
  /** Reads [from, to) of one partition without a group, for recounts and rebuilds. `to` defaults to the present end. */
  read(topic: Topic, partition: number, from: bigint, to?: bigint): AsyncIterable<readonly LogRecord[]>
  ranges(topic: Topic): Promise<readonly OffsetRange[]>
  committed(group: string, topic: Topic): Promise<ReadonlyMap<number, CommittedOffset>>
  /** Resolves when the log can take and give records. @throws with the reason otherwise */
  check(): Promise<void>
  close(): Promise<void>
}

/** Too much is waiting to be written; nothing of the call was appended. */
export class BackPressureError extends Error {
  override readonly name = 'BackPressureError'
}

/** The partition belongs to another consumer now. */
export class StaleConsumerError extends Error {
  override readonly name = 'StaleConsumerError'
}
