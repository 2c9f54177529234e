import type { Clock, Topic, TopicSpec } from '@endcap/contracts'
import { TOPIC_SPECS } from '@endcap/contracts'
import type { Component } from '../lifecycle/component.js'
import type { DiskIo } from './embedded/files.js'
import { createEmbeddedLog, type EmbeddedLog } from './embedded-log.js'
import { LogWriteError } from './errors.js'
import type { Batch, Consumer, Durability, EventLog, NewRecord } from './event-log.js'
import { recordBytes } from './limits.js'
import type { LogLogger } from './logger.js'
import { createRoom } from './room.js'

/** Where a process leaves its events. `append` resolves when they are durable. */
export interface EventSink {
  /**
   * @throws SpoolFullError when they cannot be kept: nothing that needs recording may be sold then
   * @throws BackPressureError when too much waits for the disk at this moment
   */
  append(topic: Topic, records: readonly NewRecord[], durability?: Durability): Promise<void>
  /**
   * One sentence when nothing more must be sold, because what comes of it may not be taken any more; else undefined. Cheap: asked on every
   * request. What was sold before is still taken while there is room for it.
   */
  problem(): string | undefined
}

/** The spool has no room, or its disk takes no writes. */
export class SpoolFullError extends Error {
  override readonly name = 'SpoolFullError'
}

export interface SpoolOptions {
  readonly dir: string
  readonly target: EventLog
  readonly clock: Clock
  /** Unsent events take at most this much of the disk, give or take one segment. */
  readonly maxBytes: number
  readonly logger: LogLogger
  /** The topics that may be appended to. Default: all of Endcap's. */
  readonly topics?: readonly TopicSpec[]
  /** On stop, unsent events may still be sent for this long; they stay on disk for the next start. Default 10 s. */
  readonly drainMs?: number
  /** How long a shipment may wait to be filled. Default 20 ms. */
  readonly lingerMs?: number
  readonly io?: DiskIo
}

export interface Spool extends EventSink, Component {
  problem(): string | undefined
  /** Bytes on disk and records not yet sent. */
  backlog(): Promise<{ bytes: number; records: bigint }>
}

const GROUP = 'shipper'
const SHIPMENT_RECORDS = 1000
const SMALLEST_SEGMENT = 64 * 1024
const LARGEST_SEGMENT = 8 * 1024 * 1024
const RETRY_MS = 250

/**
 * Events go to a log on the local disk first and from there to `target`, in order; a segment is deleted when all of it
 * was acknowledged. The target may be slow or away for as long as `maxBytes` last. After kill -9 the shipper goes on
 * where its last acknowledged shipment ended: what was under way is sent twice, nothing is lost.
 */
export function createSpool(options: SpoolOptions): Spool {
  const segmentBytes = Math.min(
    LARGEST_SEGMENT,
    Math.max(SMALLEST_SEGMENT, Math.trunc(options.maxBytes / 16)),
  )
  const topics = options.topics ?? TOPIC_SPECS
  let local: EmbeddedLog | undefined
  let shipper: Consumer | undefined
  let readProblem: string | undefined
  const room = createRoom({
    maxBytes: options.maxBytes,
    measure: () => local!.bytes(),
    full: (taken, most) => `the spool is full: ${taken} of ${most} bytes wait to be sent`,
  })
  const health = createWriteHealth(async () => local?.check())

  async function ship(batch: Batch): Promise<void> {
    await options.target.append(batch.topic, batch.records, 'synced')
    const next = batch.records.at(-1)!.offset + 1n
    await batch.commit(next)
    await local!.dropBefore(batch.topic, batch.partition, next)
    await room.measured()
  }

  async function unsent(log: EmbeddedLog): Promise<bigint> {
    let records = 0n
    for (const { name } of topics) {
      const [range] = await log.ranges(name)
      const committed = (await log.committed(GROUP, name)).get(0)
      const sent = committed && committed.next > range!.first ? committed.next : range!.first
      records += range!.end - sent
    }
    return records
  }

  async function drain(log: EmbeddedLog): Promise<void> {
    const deadline = performance.now() + (options.drainMs ?? 10_000)
    let left = await unsent(log)
    while (left > 0n && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      left = await unsent(log)
    }
    if (left > 0n) options.logger.warn({ records: left.toString() }, 'unsent events stay in the spool')
  }

  function refuse(reason: string): never {
    throw new SpoolFullError(reason)
  }

  function problem(): string | undefined {
    if (!local) return 'the spool is not started'
    return readProblem ?? health.problem() ?? room.problem()
  }

  return {
    name: 'spool',

    async start() {
      const log = createEmbeddedLog({
        dir: options.dir,
        clock: options.clock,
        partitions: 1,
        segmentBytes,
        onMaintenanceError: (error) => options.logger.warn({ err: error }, 'spool maintenance failed'),
        ...(options.io && { io: options.io }),
      })
      // Retention must not delete what was not sent.
      await log.ensureTopics(topics.map((spec) => ({ ...spec, compacted: false, retentionMs: 0 })))
      local = log
      await room.measured()
      shipper = await log.consume({
        group: GROUP,
        topics: topics.map(({ name }) => name),
        maxBatchRecords: SHIPMENT_RECORDS,
        lingerMs: options.lingerMs ?? 20,
        retryDelayMs: RETRY_MS,
        handler: ship,
        onError: (error, where) =>
          options.logger.warn({ err: error, topic: where.topic }, 'events wait in the spool'),
      })
      shipper.failed.catch((error: unknown) => {
        readProblem = `the spool cannot be read: ${error instanceof Error ? error.message : String(error)}`
        options.logger.error({ err: error }, 'the spool cannot be read')
      })
    },

    async stop() {
      const log = local
      if (!log) return
      await drain(log)
      await shipper!.stop()
      await log.close()
      local = undefined
    },

    async append(topic, records, durability) {
      const log = local
      if (!log) return refuse('the spool is not started')
      const bytes = bytesOf(records)
      if (!room.take(bytes)) return refuse(problem()!)
      try {
        await health.watch(log.append(topic, records, durability))
      } catch (error) {
        room.giveBack(bytes)
        throw error
      }
    },

    problem,

    async backlog() {
      if (!local) return { bytes: 0, records: 0n }
      return { bytes: await local.bytes(), records: await unsent(local) }
    },
  }
}

/** A sink for processes whose log is on the same disk: there is nothing to spool. */
export function createDirectSink(log: EventLog): EventSink {
  const health = createWriteHealth(() => log.check())
  return {
    append: (topic, records, durability) => health.watch(log.append(topic, records, durability)),
    problem: health.problem,
  }
}

/**
 * A direct sink whose log may take so much of the disk, so that what else is on it, such as the embedded database, keeps its share. What the outbox
 * brings is not held back by it: that was sold before.
 */
export async function createBoundedSink(log: EmbeddedLog, maxBytes: number): Promise<EventSink> {
  const direct = createDirectSink(log)
  const room = createRoom({
    maxBytes,
    measure: () => log.bytes(),
    full: (taken, most) => `the log is full: it takes ${taken} of the ${most} bytes that it may`,
  })
  let nextLookAt = 0

  /** Others write to the log too, and retention deletes from it. */
  function lookAgain(): void {
    if (performance.now() < nextLookAt) return
    nextLookAt = performance.now() + RECHECK_MS
    void room.measured().catch(() => {})
  }

  function problem(): string | undefined {
    lookAgain()
    return direct.problem() ?? room.problem()
  }

  await room.measured()
  return {
    async append(topic, records, durability) {
      const bytes = bytesOf(records)
      if (!room.take(bytes)) throw new SpoolFullError(problem()!)
      try {
        await direct.append(topic, records, durability)
      } catch (error) {
        room.giveBack(bytes)
        throw error
      }
    },
    problem,
  }
}

const bytesOf = (records: readonly NewRecord[]): number =>
  records.reduce((bytes, record) => bytes + recordBytes(record), 0)

const RECHECK_MS = 1000

/** Remembers that a write failed until one succeeds, or until `check`, asked about once a second, finds the disk well. */
function createWriteHealth(check: () => Promise<void>) {
  let failure: string | undefined
  let nextCheckAt = 0

  function recheck(): void {
    if (performance.now() < nextCheckAt) return
    nextCheckAt = performance.now() + RECHECK_MS
    check().then(
      () => {
        failure = undefined
      },
      () => {},
    )
  }

  return {
    async watch(write: Promise<void>): Promise<void> {
      try {
        await write
        failure = undefined
      } catch (error) {
        if (!(error instanceof LogWriteError)) throw error
        failure = error.message
        nextCheckAt = performance.now() + RECHECK_MS
        throw new SpoolFullError(error.message, { cause: error })
      }
    },
    problem(): string | undefined {
      if (failure !== undefined) recheck()
      return failure
    },
  }
}
