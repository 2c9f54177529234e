import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Topic, TopicSpec } from '@endcap/contracts'
import { type DiskIo, diskIo, syncDirectory, writeFileAtomically } from './embedded/files.js'
import { Groups } from './embedded/groups.js'
import { OffsetStore } from './embedded/offset-store.js'
import { Partition, type PartitionContext } from './embedded/partition.js'
import { recordOf } from './embedded/worker.js'
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
import { recordBytes } from './limits.js'
import { partitionOf } from './partitioner.js'

export interface EmbeddedLogOptions {
  /** Owned by this log alone: the process sees to it that no other one opens it. */
  readonly dir: string
  readonly clock: Clock
  /** A segment file ends at about this size. Default 64 MiB. */
  readonly segmentBytes?: number
  /** More than this waiting for the disk: `append` throws BackPressureError. Default 64 MiB. */
  readonly maxPendingBytes?: number
  /** Records that nobody waits for are synced (and become readable) within this time. Default 50 ms. */
  readonly commitIntervalMs?: number
  /** Overrides the partition count of every topic spec. */
  readonly partitions?: number
  /** `maintain` runs this often. Default 60 s; 0 means: only when called. */
  readonly maintainEveryMs?: number
  /** A deletion in a compacted topic is kept this long, so that slow readers see it. Default 24 h. */
  readonly tombstoneRetentionMs?: number
  /** Hears of failed maintenance, which is tried again. */
  readonly onMaintenanceError?: (error: unknown) => void
  readonly io?: DiskIo
}

/** The event log in files of this machine. Opening is lazy: a damaged log shows in the first call and in `check`. */
export interface EmbeddedLog extends EventLog {
  /** Applies retention and compaction now. */
  maintain(): Promise<void>
  /** Deletes whole segments whose records all lie below `offset`. */
  dropBefore(topic: Topic, partition: number, offset: bigint): Promise<void>
  /** Bytes of all topics on disk. */
  bytes(): Promise<number>
}

interface StoredTopic {
  readonly spec: TopicSpec
  readonly partitions: readonly Partition[]
}

const TOPIC_FILE = 'topic.json'
const DAY_MS = 86_400_000
const MIN_DIRTY_RATIO = 0.5

/**
 * An event log of append-only segment files: one folder a partition, one sync for all who wait, offsets of groups
 * beside them. Consumers of one group share the partitions within this process.
 */
export function createEmbeddedLog(options: EmbeddedLogOptions): EmbeddedLog {
  const log = new SegmentLog(options)
  return log
}

class SegmentLog implements EmbeddedLog {
  private readonly topics = new Map<string, StoredTopic>()
  private readonly opened: Promise<void>
  private offsets: OffsetStore | undefined
  private groups: Groups | undefined
  private isOpen = false
  private closing: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private topicChange: Promise<void> = Promise.resolve()
  private maintenance: Promise<void> = Promise.resolve()
  private readonly context: PartitionContext
  private readonly maxPendingBytes: number

  constructor(private readonly options: EmbeddedLogOptions) {
    this.context = {
      clock: options.clock,
      io: options.io ?? diskIo,
      segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
      commitIntervalMs: options.commitIntervalMs ?? 50,
      pending: { bytes: 0 },
    }
    this.maxPendingBytes = options.maxPendingBytes ?? 64 * 1024 * 1024
    this.opened = this.open().catch(async (error: unknown) => {
      await Promise.allSettled([...this.allPartitions(), this.offsets].map((part) => part?.close()))
      throw error
    })
    this.opened.catch(() => {})
  }

  private async open(): Promise<void> {
    const root = this.topicsDir
    await mkdir(root, { recursive: true })
    for (const name of await readdir(root)) {
      const text = await readFile(join(root, name, TOPIC_FILE), 'utf8').catch(() => undefined)
      // A folder without its file is what a crash within `ensureTopics` left: that call makes it anew.
      if (text === undefined) continue
      const spec = JSON.parse(text) as TopicSpec
      this.topics.set(spec.name, await this.openTopic(spec))
    }
    this.offsets = await OffsetStore.open(join(this.options.dir, 'offsets'), this.context)
    this.groups = new Groups(this.offsets, (topic) => this.topicOf(topic).partitions)
    this.isOpen = true
    this.scheduleMaintenance()
  }

  private get topicsDir(): string {
    return join(this.options.dir, 'topics')
  }

  private async openTopic(spec: TopicSpec): Promise<StoredTopic> {
    const dir = join(this.topicsDir, spec.name)
    const outcomes = await Promise.allSettled(
      Array.from({ length: spec.partitions }, (_, number) =>
        Partition.open(join(dir, String(number)), this.context),
      ),
    )
    const partitions = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue
      await Promise.allSettled(partitions.map((partition) => partition.close()))
      throw outcome.reason
    }
    return { spec, partitions }
  }

  private scheduleMaintenance(): void {
    const everyMs = this.options.maintainEveryMs ?? 60_000
    if (everyMs === 0) return
    this.timer = setInterval(() => {
      this.maintain().catch((error: unknown) => this.options.onMaintenanceError?.(error))
    }, everyMs)
    this.timer.unref()
  }

  private async ready(): Promise<void> {
    if (!this.isOpen) await this.opened
    if (this.closing) throw new LogClosedError('the log is closed')
  }

  private topicOf(topic: Topic): StoredTopic {
    const stored = this.topics.get(topic)
    if (!stored) throw new UnknownTopicError(`there is no topic ${topic}`)
    return stored
  }

  private partitionOf(topic: Topic, number: number): Partition {
    const partition = this.topicOf(topic).partitions[number]
    if (!partition) throw new UnknownTopicError(`${topic} has no partition ${number}`)
    return partition
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.ready()
    const change = this.topicChange.then(() => this.createMissing(specs))
    this.topicChange = change.catch(() => {})
    await change
  }

  private async createMissing(specs: readonly TopicSpec[]): Promise<void> {
    for (const wanted of specs) {
      if (this.topics.has(wanted.name)) continue
      const spec = { ...wanted, partitions: this.options.partitions ?? wanted.partitions }
      const topic = await this.openTopic(spec)
      await writeFileAtomically(join(this.topicsDir, spec.name, TOPIC_FILE), JSON.stringify(spec))
      await syncDirectory(this.topicsDir)
      this.topics.set(spec.name, topic)
    }
  }

  async append(
    topic: Topic,
    records: readonly NewRecord[],
    durability: Durability = 'synced',
  ): Promise<void> {
    if (!this.isOpen || this.closing) await this.ready()
    if (records.length === 0) return
    const { partitions } = this.topicOf(topic)
    let bytes = 0
    for (const record of records) bytes += recordBytes(record)
    const pending = this.context.pending.bytes
    // One call may be larger than the limit when nothing else waits, or it could never be written.
    if (pending > 0 && pending + bytes > this.maxPendingBytes) {
      throw new BackPressureError(`${pending} bytes wait for the disk; the limit is ${this.maxPendingBytes}`)
    }
    if (partitions.length === 1) return partitions[0]!.append(records, bytes, durability)
    const shares = this.shareOut(records, partitions.length)
    const outcomes = await Promise.allSettled(
      Array.from(shares, ([number, share]) =>
        partitions[number]!.append(share.records, share.bytes, durability),
      ),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  private shareOut(records: readonly NewRecord[], partitions: number) {
    const shares = new Map<number, { records: NewRecord[]; bytes: number }>()
    for (const record of records) {
      const number = partitionOf(record.key, partitions)
      let share = shares.get(number)
      if (!share) {
        share = { records: [], bytes: 0 }
        shares.set(number, share)
      }
      share.records.push(record)
      share.bytes += recordBytes(record)
    }
    return shares
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    await this.ready()
    return this.groups!.join(options)
  }

  async *read(topic: Topic, number: number, from: bigint, to?: bigint): AsyncGenerator<readonly LogRecord[]> {
    await this.ready()
    const partition = this.partitionOf(topic, number)
    await partition.flush()
    const end = Math.min(to === undefined ? partition.end : Number(to), partition.end)
    const reader = partition.reader(Math.max(Number(from), partition.first))
    try {
      while (reader.offset < end) {
        const records = await reader.next(1000, end)
        if (records.length > 0) yield records.map(recordOf)
      }
    } finally {
      await reader.close()
    }
  }

  async ranges(topic: Topic): Promise<readonly OffsetRange[]> {
    await this.ready()
    const { partitions } = this.topicOf(topic)
    await Promise.all(partitions.map((partition) => partition.flush()))
    return partitions.map((partition, number) => ({
      partition: number,
      first: BigInt(partition.first),
      end: BigInt(partition.end),
    }))
  }

  async committed(group: string, topic: Topic): Promise<ReadonlyMap<number, CommittedOffset>> {
    await this.ready()
    const found = new Map<number, CommittedOffset>()
    for (const number of this.topicOf(topic).partitions.keys()) {
      const committed = this.offsets!.get(group, topic, number)
      if (committed) found.set(number, committed)
    }
    return found
  }

  async bytes(): Promise<number> {
    await this.ready()
    let bytes = 0
    for (const partition of this.allPartitions()) bytes += partition.bytes
    return bytes
  }

  async dropBefore(topic: Topic, number: number, offset: bigint): Promise<void> {
    await this.ready()
    await this.partitionOf(topic, number).dropBefore(Number(offset))
  }

  async maintain(): Promise<void> {
    await this.ready()
    const run = this.maintenance.then(() => this.maintainOnce())
    this.maintenance = run.catch(() => {})
    await run
  }

  private async maintainOnce(): Promise<void> {
    const now = this.options.clock()
    for (const { spec, partitions } of this.topics.values()) {
      for (const partition of partitions) {
        if (this.closing) return
        if (spec.compacted) {
          const dropTombstonesBefore = now - (this.options.tombstoneRetentionMs ?? DAY_MS)
          if (partition.dirtyRatio >= MIN_DIRTY_RATIO) await partition.compact(dropTombstonesBefore)
        } else if (spec.retentionMs > 0) await partition.dropOlderThan(now - spec.retentionMs)
      }
    }
    await this.offsets!.maintain()
  }

  async check(): Promise<void> {
    await this.ready()
    const problem =
      this.offsets!.problem ?? this.allPartitions().find((partition) => partition.problem)?.problem
    if (!problem) return
    // The last write failed: whether the disk takes writes again is only known by trying.
    await this.probe().catch(() => {
      throw problem
    })
  }

  private async probe(): Promise<void> {
    const path = join(this.options.dir, 'probe.tmp')
    const file = await open(path, 'w')
    try {
      await this.context.io.write(file, Buffer.alloc(65_536), 0, 65_536, 0)
      await this.context.io.sync(file)
    } finally {
      await file.close()
      await rm(path, { force: true })
    }
    for (const partition of this.allPartitions()) await partition.flush()
  }

  private allPartitions(): Partition[] {
    return [...this.topics.values()].flatMap((topic) => topic.partitions)
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  private async shutDown(): Promise<void> {
    clearInterval(this.timer)
    const usable = await this.opened.then(
      () => true,
      () => false,
    )
    clearInterval(this.timer)
    // What failed to open has closed its files already, and told whoever called.
    if (!usable) return
    await this.groups!.stopAll()
    await this.maintenance
    const outcomes = await Promise.allSettled(
      [...this.allPartitions(), this.offsets!].map((part) => part.close()),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }
}
