import { join } from 'node:path'
import { type ChangeData, type Clock, changeEvent, TOPICS } from '@endcap/contracts'
import type { Batch, Consumer, EventLog } from '@endcap/platform/event-log'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { AdIndex } from './ad-index.js'
import { readSnapshot, SnapshotDamagedError, writeSnapshot } from './snapshot.js'

export interface IndexFeedDeps {
  readonly log: EventLog
  readonly index: AdIndex
  /** Where the copy of the index is kept. */
  readonly dir: string
  readonly clock: Clock
  /** Makes the consumer group of this process: each ad-server reads the whole feed. */
  readonly group: string
  readonly logger: Logger
  /** How often the copy on disk is brought up to date, when something changed. Default 30 s. */
  readonly snapshotEveryMs?: number
  readonly onInvalid?: () => void
}

export interface IndexFeed extends Component {
  /** The first offset of the change topic that the index may lack. */
  readonly position: () => bigint
  /** Writes the copy on disk now. */
  save(): Promise<void>
}

const RETRY_FIRST_MS = 200
const RETRY_MOST_MS = 5_000

/**
 * Feeds the index from the change topic, starting from the copy on disk. Without the log, serving goes on from that copy
 * while the feed keeps trying to connect.
 */
export function createIndexFeed(deps: IndexFeedDeps): IndexFeed {
  const { log, index, clock, logger } = deps
  const path = join(deps.dir, 'changes.ndjson')
  const snapshotEveryMs = deps.snapshotEveryMs ?? 30_000
  let position = 0n
  let savedPosition = -1n
  let savedAtMs = clock()
  let loaded = false
  let caughtUp = false
  let problem: string | undefined
  let consumer: Consumer | undefined
  let stopped = false
  let retry: NodeJS.Timeout | undefined
  let timer: NodeJS.Timeout | undefined
  let connecting: Promise<void> = Promise.resolve()
  let saving: Promise<void> | undefined

  function takeIn(batch: Batch): void {
    for (const record of batch.records) {
      if (record.value === null) continue
      const change = readChange(record.value)
      if (change) index.apply(change)
      else {
        deps.onInvalid?.()
        logger.warn({ offset: record.offset.toString() }, 'a record of the change feed is not valid; skipped')
      }
    }
    position = batch.records.at(-1)!.offset + 1n
  }

  async function connect(delayMs: number): Promise<void> {
    try {
      const end = (await log.ranges(TOPICS.changes)).find((range) => range.partition === 0)?.end ?? 0n
      // A shorter log than the copy remembers is another log: its offsets say nothing about the copy.
      if (position > end) position = 0n
      caughtUp = position >= end
      consumer = await log.consume({
        group: deps.group,
        topics: [TOPICS.changes],
        from: 'earliest',
        startOffset: async () => position,
        lingerMs: 5,
        handler: async (batch) => {
          takeIn(batch)
          problem = undefined
          if (position >= end) caughtUp = true
        },
        onError: (error) => {
          problem = `the change feed cannot be read: ${messageOf(error)}`
        },
      })
      problem = undefined
      consumer.failed.catch((error: unknown) => reconnect(error, RETRY_FIRST_MS))
    } catch (error) {
      reconnect(error, delayMs)
    }
  }

  function reconnect(error: unknown, delayMs: number): void {
    if (stopped) return
    problem = `the change feed cannot be read: ${messageOf(error)}`
    logger.warn({ err: error }, 'the change feed cannot be read; trying again')
    const lost = consumer
    consumer = undefined
    retry = setTimeout(() => {
      connecting = (lost?.stop().catch(() => undefined) ?? Promise.resolve()).then(() =>
        stopped ? undefined : connect(Math.min(delayMs * 2, RETRY_MOST_MS)),
      )
    }, delayMs)
  }

  function save(): Promise<void> {
    saving ??= (async () => {
      const from = position
      try {
        await writeSnapshot(path, from, index.dump())
        savedPosition = from
      } finally {
        savedAtMs = clock()
        saving = undefined
      }
    })()
    return saving
  }

  async function start(): Promise<void> {
    try {
      const from = await readSnapshot(path, (change) => index.apply(change))
      if (from !== undefined) {
        position = from
        savedPosition = from
        loaded = true
      }
    } catch (error) {
      if (!(error instanceof SnapshotDamagedError)) throw error
      logger.warn({ err: error }, 'the copy of the index on disk is damaged; reading the whole change feed')
    }
    connecting = connect(RETRY_FIRST_MS)
    await connecting
    timer = setInterval(() => {
      if (position === savedPosition || clock() - savedAtMs < snapshotEveryMs) return
      save().catch((error: unknown) =>
        logger.warn({ err: error }, 'the copy of the index could not be written'),
      )
    }, 1_000)
    timer.unref()
  }

  async function stop(): Promise<void> {
    stopped = true
    clearTimeout(retry)
    clearInterval(timer)
    await connecting
    await consumer?.stop()
    await saving?.catch(() => undefined)
    if (position !== savedPosition) {
      await save().catch((error: unknown) =>
        logger.warn({ err: error }, 'the copy of the index could not be written'),
      )
    }
  }

  return {
    name: 'ad index',
    start,
    stop,
    position: () => position,
    save,
    // With a copy on disk the process is of use even when the feed is away.
    problem: () => (loaded || caughtUp ? undefined : (problem ?? 'the index is still being loaded')),
  }
}

/** The change that a record of the feed tells; undefined when it is none. */
export function readChange(value: string): ChangeData | undefined {
  let json: unknown
  try {
    json = JSON.parse(value)
  } catch {
    return undefined
  }
  const parsed = changeEvent.safeParse(json)
  return parsed.success ? parsed.data.data : undefined
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
