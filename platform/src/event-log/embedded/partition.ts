import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@endcap/contracts'
import { LogClosedError, LogWriteError } from '../errors.js'
import type { Durability, NewRecord } from '../event-log.js'
import { recordBytes } from '../limits.js'
import { type DiskIo, syncDirectory } from './files.js'
import { PartitionReader } from './partition-reader.js'
import { encodeRecord, offsetAt, timeAt } from './record-format.js'
import { Segment } from './segment.js'
import { Slabs } from './slabs.js'

/** What every partition of a log shares. */
export interface PartitionContext {
  readonly clock: Clock
  readonly io: DiskIo
  readonly segmentBytes: number
  /** How long a record that nobody waits for may stay unsynced. */
  readonly commitIntervalMs: number
  /** Bytes that are waiting to be written or to be synced, in all partitions together. */
  readonly pending: { bytes: number }
}

interface WaitingAppend {
  readonly records: readonly NewRecord[]
  /** Σ `recordBytes`. */
  readonly bytes: number
  readonly durability: Durability
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface SyncWaiter {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Appends of one write(2) at most: long enough to share a call, short enough not to hold the others up. */
const WRITE_BYTES = 4 * 1024 * 1024
const SYNC_RETRY_MS = 500

/**
 * One ordered sequence of records in segment files. Writers are grouped: whoever arrives while a write or a sync is
 * running shares the next one. Readers see a record once it is synced, so that nothing is ever read (and its offset
 * kept elsewhere) that the death of the machine could take back.
 */
export class Partition {
  private segments: Segment[] = []
  private activeFile: FileHandle | undefined
  private nextOffset = 0
  private syncedEnd = 0
  private waiting: WaitingAppend[] = []
  private working: Promise<void> | undefined
  private syncWaiters: SyncWaiter[] = []
  /** Written but not yet synced: kept, because after a failed sync the page cache cannot be trusted. */
  private readonly unsynced: { bytes: Buffer; position: number; pendingBytes: number }[] = []
  private readonly slabs = new Slabs()
  private writing = false
  private syncing: Promise<void> | undefined
  private syncTimer: NodeJS.Timeout | undefined
  private mustRewrite = false
  private mustTruncate = false
  private mustSyncDirectory = false
  private maintenance: Promise<void> = Promise.resolve()
  private cleanEnd = 0
  private closed = false
  private failure: Error | undefined
  private readonly listeners = new Set<() => void>()

  private constructor(
    readonly dir: string,
    private readonly context: PartitionContext,
  ) {}

  /** @throws CorruptLogError when a segment is damaged anywhere but at the very end of the newest one */
  static async open(dir: string, context: PartitionContext): Promise<Partition> {
    const partition = new Partition(dir, context)
    await partition.load()
    return partition
  }

  private async load(): Promise<void> {
    await mkdir(this.dir, { recursive: true })
    const found: Segment[] = []
    for (const name of await readdir(this.dir)) {
      const parsed = Segment.parseFileName(name)
      if (parsed) found.push(new Segment(join(this.dir, name), parsed.base, parsed.coveredTo))
      else if (name.endsWith('.tmp')) await rm(join(this.dir, name), { force: true })
    }
    found.sort((a, b) => a.base - b.base || (b.coveredTo ?? 0) - (a.coveredTo ?? 0))
    let coveredTo = 0
    for (const segment of found) {
      // A crash between the rename of a compacted segment and the deletion of its sources leaves both.
      if (segment.base < coveredTo) await segment.delete()
      else this.segments.push(segment)
      coveredTo = Math.max(coveredTo, segment.coveredTo ?? 0)
    }
    for (const [index, segment] of this.segments.entries()) {
      const newest = index === this.segments.length - 1
      const fileSize = (await stat(segment.path)).size
      if (newest || !(await segment.loadIndex(fileSize)))
        await segment.scan(newest && segment.coveredTo === undefined)
    }
    const newest = this.segments.at(-1)
    this.nextOffset = newest?.end ?? 0
    this.cleanEnd = this.segments.findLast((segment) => segment.coveredTo !== undefined)?.coveredTo ?? 0
    if (!newest || newest.coveredTo !== undefined) await this.startSegment()
    else {
      this.activeFile = await newest.acquire()
      // What a killed process had written is still only in the page cache.
      await this.context.io.sync(this.activeFile)
    }
    this.syncedEnd = this.nextOffset
  }

  /** First offset that can still be read. */
  get first(): number {
    return this.segments[0]!.base
  }

  /** Offset after the last record that readers see. */
  get end(): number {
    return this.syncedEnd
  }

  get bytes(): number {
    let bytes = 0
    for (const segment of this.segments) bytes += segment.size
    return bytes
  }

  /** The last write or sync failed, and none has succeeded since. */
  get problem(): Error | undefined {
    return this.failure
  }

  /** Calls back whenever `end` has grown. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** `bytes` is Σ `recordBytes`; it counts as pending until the records are synced or refused. */
  append(records: readonly NewRecord[], bytes: number, durability: Durability): Promise<void> {
    if (this.closed) return Promise.reject(new LogClosedError('the log is closed'))
    this.context.pending.bytes += bytes
    return new Promise((resolve, reject) => {
      this.waiting.push({ records, bytes, durability, resolve, reject })
      this.work()
    })
  }

  /** Resolves when everything that was written is synced. */
  async flush(): Promise<void> {
    while (this.working) await this.working
    if (this.syncedEnd < this.nextOffset) await this.sync()
  }

  reader(from: number): PartitionReader {
    return new PartitionReader(this, from)
  }

  /** The segment in which the record at or after `offset` lies; undefined when there is none yet. */
  segmentAt(offset: number): Segment | undefined {
    let low = 0
    let high = this.segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.segments[middle]!.end <= offset) low = middle + 1
      else high = middle
    }
    return this.segments[low]
  }

  private work(): void {
    // Starting in a microtask lets all appends of one turn of the event loop share the first write.
    this.working ??= Promise.resolve()
      .then(() => this.writeWaiting())
      .finally(() => this.workDone())
  }

  private workDone(): void {
    this.working = undefined
    if (this.waiting.length > 0) this.work()
  }

  private async writeWaiting(): Promise<void> {
    while (this.waiting.length > 0) {
      const { group, bound } = this.takeGroup()
      try {
        await this.writeGroup(group, bound)
      } catch (error) {
        const failure = writeError(error, this.dir)
        this.failure = failure
        this.context.pending.bytes -= bound
        for (const append of group) append.reject(failure)
        continue
      }
      let mustSync = false
      for (const append of group) {
        if (append.durability === 'written') append.resolve()
        else {
          this.syncWaiters.push(append)
          mustSync = true
        }
      }
      if (mustSync) void this.sync().catch(() => {})
      else this.syncSoon(this.context.commitIntervalMs)
    }
  }

  private takeGroup(): { group: WaitingAppend[]; bound: number } {
    let bound = 0
    let count = 0
    for (const append of this.waiting) {
      if (count > 0 && bound + append.bytes > WRITE_BYTES) break
      bound += append.bytes
      count++
    }
    return { group: this.waiting.splice(0, count), bound }
  }

  private async writeGroup(group: readonly WaitingAppend[], bound: number): Promise<void> {
    await this.repair()
    let active = this.segments.at(-1)!
    if (active.size > 0 && active.size + bound > this.context.segmentBytes) {
      await this.roll()
      active = this.segments.at(-1)!
    }
    const buffer = this.slabs.take(bound)
    const now = Math.max(0, Math.trunc(this.context.clock()))
    const starts: number[] = []
    let offset = this.nextOffset
    let length = 0
    for (const append of group) {
      for (const record of append.records) {
        starts.push(length)
        length = encodeRecord(buffer, length, record, offset++, now)
      }
    }
    const bytes = buffer.subarray(0, length)
    const position = active.size
    this.writing = true
    try {
      await this.writeAll(bytes, position)
    } catch (error) {
      this.mustTruncate = true
      await this.repair().catch(() => {})
      throw error
    } finally {
      this.writing = false
    }
    for (const [index, start] of starts.entries()) {
      active.note(
        offsetAt(bytes, start),
        position + start,
        position + (starts[index + 1] ?? length),
        timeAt(bytes, start),
      )
    }
    this.unsynced.push({ bytes, position, pendingBytes: bound })
    this.nextOffset = offset
    this.failure = undefined
  }

  /** Cuts off what a failed write may have left behind, so that no half record stays between whole ones. */
  private async repair(): Promise<void> {
    if (!this.mustTruncate) return
    await this.context.io.truncate(this.activeFile!, this.segments.at(-1)!.size)
    this.mustTruncate = false
  }

  private async writeAll(bytes: Buffer, position: number): Promise<void> {
    let done = 0
    while (done < bytes.length) {
      done += await this.context.io.write(this.activeFile!, bytes, done, bytes.length - done, position + done)
    }
  }

  private syncSoon(delayMs: number): void {
    if (this.syncTimer || this.closed) return
    this.syncTimer = setTimeout(() => {
      this.syncTimer = undefined
      void this.sync().catch(() => {})
    }, delayMs)
    this.syncTimer.unref()
  }

  /** One sync at a time; whoever asks while one runs gets the next one, together with all others who ask. */
  private async sync(): Promise<void> {
    while (this.syncing) {
      await this.syncing.catch(() => {})
      if (this.syncedEnd >= this.nextOffset && this.syncWaiters.length === 0) return
    }
    this.syncing = this.syncOnce().finally(() => {
      this.syncing = undefined
    })
    await this.syncing
  }

  private async syncOnce(): Promise<void> {
    const end = this.nextOffset
    const waiters = this.syncWaiters
    const covered = this.unsynced
    // What is being written at this moment is not covered.
    const slab = this.writing ? undefined : this.slabs.turn()
    this.syncWaiters = []
    try {
      if (this.mustRewrite) {
        for (const { bytes, position } of covered.slice()) await this.writeAll(bytes, position)
      }
      const count = covered.length
      if (this.mustSyncDirectory) await syncDirectory(this.dir)
      await this.context.io.sync(this.activeFile!)
      this.mustSyncDirectory = false
      this.mustRewrite = false
      for (const { pendingBytes } of covered.splice(0, count)) this.context.pending.bytes -= pendingBytes
    } catch (error) {
      this.mustRewrite = true
      this.failure = writeError(error, this.dir)
      for (const waiter of waiters) waiter.reject(this.failure)
      this.syncSoon(SYNC_RETRY_MS)
      throw this.failure
    }
    this.slabs.giveBack(slab)
    this.failure = undefined
    this.syncedEnd = end
    for (const waiter of waiters) waiter.resolve()
    for (const listener of this.listeners) listener()
  }

  /** Ends the active segment (all of it synced) and starts the next. */
  private async roll(): Promise<void> {
    while (this.syncing || this.syncedEnd < this.nextOffset) await this.sync()
    const finished = this.segments.at(-1)!
    await this.startSegment()
    // Without its index the segment is scanned at the next start: slower, not wrong.
    await finished.saveIndex().catch(() => {})
    await finished.release()
  }

  private async startSegment(): Promise<void> {
    const path = join(this.dir, Segment.fileName(this.nextOffset))
    const handle = await open(path, 'w')
    await handle.close()
    const segment = new Segment(path, this.nextOffset, undefined)
    const file = await segment.acquire()
    this.mustSyncDirectory = true
    this.segments.push(segment)
    this.activeFile = file
  }

  /** Runs `work` when neither a write nor another maintenance runs, and holds writers off meanwhile. */
  private exclusively(work: () => Promise<void>): Promise<void> {
    const run = async () => {
      while (this.working) await this.working
      const task = work()
      this.working = task.catch(() => {}).finally(() => this.workDone())
      await task
    }
    const result = this.maintenance.then(run)
    this.maintenance = result.catch(() => {})
    return result
  }

  /** Deletes finished segments whose newest record is older than `beforeMs`. */
  dropOlderThan(beforeMs: number): Promise<void> {
    return this.dropWhile((segment) => segment.maxTimeMs < beforeMs)
  }

  /** Deletes finished segments that hold only offsets below `offset`; the newest one too when all of it is below. */
  async dropBefore(offset: number): Promise<void> {
    const active = this.segments.at(-1)!
    if (active.size > 0 && offset >= this.nextOffset && active.size >= this.context.segmentBytes / 4) {
      await this.exclusively(() => this.roll())
    }
    await this.dropWhile((segment) => segment.end <= offset)
  }

  private async dropWhile(expired: (segment: Segment) => boolean): Promise<void> {
    const dropped: Segment[] = []
    while (this.segments.length > 1 && expired(this.segments[0]!)) dropped.push(this.segments.shift()!)
    // Oldest first, so that a crash in between leaves no hole.
    for (const segment of dropped) await segment.delete()
  }

  /** Bytes that arrived since the last compaction, of all bytes: 0 … 1. */
  get dirtyRatio(): number {
    const total = this.bytes
    if (total === 0) return 0
    let dirty = 0
    for (const segment of this.segments) if (segment.base >= this.cleanEnd) dirty += segment.size
    return dirty / total
  }

  /**
   * Keeps the last record of each key, at its own offset, in one new segment; drops deletions (null values) older than
   * `dropTombstonesBeforeMs`. Readers that hold an old segment go on from the same offset in the new one.
   */
  async compact(dropTombstonesBeforeMs: number): Promise<void> {
    await this.exclusively(async () => {
      if (this.segments.at(-1)!.size > 0) await this.roll()
    })
    const run = () => this.rewriteFinished(dropTombstonesBeforeMs)
    const result = this.maintenance.then(run)
    this.maintenance = result.catch(() => {})
    await result
  }

  private async rewriteFinished(dropTombstonesBeforeMs: number): Promise<void> {
    const sources = this.segments.slice(0, -1)
    if (sources.length === 0) return
    const from = sources[0]!.base
    const to = this.segments.at(-1)!.base
    const last = new Map<string, number>()
    for await (const records of this.recordsBetween(from, to))
      for (const record of records) last.set(record.key, record.offset)

    const target = new Segment(join(this.dir, Segment.fileName(from, to)), from, to)
    const temporary = `${target.path}.tmp`
    const file = await open(temporary, 'w')
    try {
      for await (const records of this.recordsBetween(from, to)) {
        const kept = records.filter(
          (record) =>
            last.get(record.key) === record.offset &&
            (record.value !== null || record.appendedAtMs >= dropTombstonesBeforeMs),
        )
        if (kept.length === 0) continue
        let bound = 0
        for (const record of kept) bound += recordBytes(record)
        const buffer = Buffer.allocUnsafe(bound)
        let length = 0
        for (const record of kept) {
          const start = length
          length = encodeRecord(buffer, start, record, record.offset, record.appendedAtMs)
          target.note(record.offset, target.size, target.size + length - start, record.appendedAtMs)
        }
        let done = 0
        const base = target.size - length
        while (done < length)
          done += await this.context.io.write(file, buffer, done, length - done, base + done)
      }
      await this.context.io.sync(file)
    } catch (error) {
      await file.close()
      await rm(temporary, { force: true })
      throw writeError(error, this.dir)
    }
    await file.close()
    const renamesSource = sources.length === 1 && sources[0]!.path === target.path
    await rename(temporary, target.path)
    await syncDirectory(this.dir)
    // Retention may have dropped a source meanwhile; it never touches the newer ones.
    this.segments = [target, ...this.segments.filter((segment) => !sources.includes(segment))]
    this.cleanEnd = to
    for (const source of sources) {
      if (renamesSource) source.deleted = true
      else await source.delete()
    }
    await target.saveIndex().catch(() => {})
  }

  private async *recordsBetween(from: number, to: number) {
    const reader = this.reader(from)
    try {
      while (reader.offset < to) {
        const records = await reader.next(1000, to)
        if (records.length > 0) yield records
      }
    } finally {
      await reader.close()
    }
  }

  /** Writes and syncs what is waiting, then gives the files back. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.syncTimer)
    try {
      await this.maintenance
      await this.flush()
    } finally {
      clearTimeout(this.syncTimer)
      await this.segments.at(-1)!.release()
    }
  }
}

function writeError(error: unknown, dir: string): LogWriteError {
  if (error instanceof LogWriteError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new LogWriteError(`cannot write to ${dir}: ${reason}`, { cause: error })
}
