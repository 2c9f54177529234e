import type { Topic } from '@endcap/contracts'
import { CorruptLogError, LogClosedError } from '../errors.js'
import {
  type Batch,
  type CommittedOffset,
  type ConsumeOptions,
  type LogRecord,
  StaleConsumerError,
} from '../event-log.js'
import { assertMetadata } from '../limits.js'
import type { OffsetStore } from './offset-store.js'
import type { Partition } from './partition.js'
import type { PartitionReader } from './partition-reader.js'
import type { StoredRecord } from './record-format.js'
import { Signal } from './signal.js'

const DEFAULT_BATCH_RECORDS = 1000
const DEFAULT_LINGER_MS = 50
const DEFAULT_RETRY_MS = 200
const LONGEST_RETRY_MS = 10_000

export interface WorkerDeps {
  readonly topic: Topic
  readonly number: number
  readonly partition: Partition
  readonly offsets: OffsetStore
  readonly options: ConsumeOptions
  /** The records cannot be read: the whole consumer fails. */
  readonly onFatal: (error: Error) => void
}

/** Brings one partition's records to one consumer, batch after batch, until the partition is given back. */
export class Worker {
  readonly finished: Promise<void>
  private stopping = false
  private released = false
  private readonly signal = new Signal()
  private committed: CommittedOffset | undefined

  constructor(private readonly deps: WorkerDeps) {
    this.finished = this.run()
      .catch((error: Error) => deps.onFatal(error))
      .finally(() => {
        this.released = true
      })
  }

  /** Asks for the partition back: the batch in hand is finished (and may still commit), then `finished` resolves. */
  stop(): void {
    this.stopping = true
    this.signal.notify()
  }

  private async run(): Promise<void> {
    const { partition } = this.deps
    const unsubscribe = partition.subscribe(this.signal.notify)
    let reader: PartitionReader | undefined
    try {
      const start = await this.retrying(() => this.startOffset())
      if (start === undefined) return
      reader = partition.reader(start)
      while (!this.stopping) {
        const records = await this.nextRecords(reader)
        if (records.length === 0 || this.stopping) continue
        const batch = this.batchOf(records.map(recordOf))
        await this.retrying(() => this.deps.options.handler(batch))
      }
    } finally {
      unsubscribe()
      await reader?.close()
    }
  }

  private async startOffset(): Promise<number> {
    const { topic, number, partition, offsets, options } = this.deps
    const own = await options.startOffset?.(topic, number)
    const committed = offsets.get(options.group, topic, number)
    // Offsets beyond the end were never written to this log: it lost records, and which ones were read is unknown.
    this.committed = committed && committed.next <= partition.end ? committed : undefined
    if (own !== undefined) return own <= partition.end ? Number(own) : partition.first
    if (this.committed) return Number(this.committed.next)
    return options.from === 'latest' && !committed ? partition.end : partition.first
  }

  /** Runs until it succeeds or the partition is asked back; undefined then. */
  private async retrying<T>(work: () => Promise<T>): Promise<T | undefined> {
    const { options, topic, number } = this.deps
    let delay = options.retryDelayMs ?? DEFAULT_RETRY_MS
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!this.stopping) options.onError?.(error, { topic, partition: number })
        const until = performance.now() + delay
        while (!this.stopping && performance.now() < until) await this.signal.wait(until - performance.now())
        if (this.stopping) return undefined
        delay = Math.min(delay * 2, LONGEST_RETRY_MS)
      }
    }
  }

  private async nextRecords(reader: PartitionReader): Promise<StoredRecord[]> {
    const { partition, options } = this.deps
    const limit = options.maxBatchRecords ?? DEFAULT_BATCH_RECORDS
    while (!this.stopping && partition.end <= reader.offset) await this.signal.wait()
    const until = performance.now() + (options.lingerMs ?? DEFAULT_LINGER_MS)
    while (!this.stopping && partition.end - reader.offset < limit) {
      const left = until - performance.now()
      if (left <= 0) break
      await this.signal.wait(left)
    }
    if (this.stopping) return []
    const from = reader.offset
    const records = await this.retrying(async () => {
      try {
        if (reader.offset !== from) await reader.seek(from)
        return await reader.next(limit)
      } catch (error) {
        if (error instanceof CorruptLogError) return error
        throw error
      }
    })
    if (records instanceof CorruptLogError) throw records
    return records ?? []
  }

  private batchOf(records: readonly LogRecord[]): Batch {
    const { topic, number, offsets, options } = this.deps
    const isStale = () => this.released
    const committed = () => this.committed
    const refuseStale = () => {
      if (isStale())
        throw new StaleConsumerError(`${topic}:${number} belongs to another consumer of ${options.group}`)
    }
    return {
      topic,
      partition: number,
      records,
      get committed() {
        return committed()
      },
      isStale,
      commit: async (next, metadata = '') => {
        refuseStale()
        assertMetadata(metadata)
        const progress = { next, metadata }
        await offsets.put(options.group, topic, number, progress).catch((error: unknown) => {
          if (error instanceof LogClosedError) refuseStale()
          throw error
        })
        this.committed = progress
      },
      heartbeat: async () => {},
    }
  }
}

export const recordOf = (stored: StoredRecord): LogRecord => ({ ...stored, offset: BigInt(stored.offset) })
