import type { Topic, TopicSpec } from '@endcap/contracts'
import type { Batch, ConsumeOptions, Consumer, EventLog, LogRecord, NewRecord } from './event-log.js'

/** An adapter under test: a running log and the ways to look at it from outside. */
export interface EventLogHarness {
  /** What one process holds. Where the log lives in one process, every call gives the same one. */
  open(): EventLog
  /** A log that takes few bytes at a time. */
  openNarrow(maxPendingBytes: number): Promise<EventLog>
  /** Resolves when superseded records of this compacted topic are gone; false where only the setting can be seen. */
  compact(topic: Topic): Promise<boolean>
  close(): Promise<void>
}

let topics = 0
/** A topic that no other test uses. */
export async function freshTopic(log: EventLog, options: Partial<TopicSpec> = {}): Promise<Topic> {
  const name = `endcap.test-${process.pid}-${++topics}` as Topic
  await log.ensureTopics([{ partitions: 4, compacted: false, retentionMs: 0, ...options, name }])
  return name
}

/** Polls until `check` gives something else than undefined or false. */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  deadlineMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export const numbered = (count: number, keys: number, from = 0): NewRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    key: `key-${(from + index) % keys}`,
    value: JSON.stringify({ n: from + index }),
  }))

export const numberOf = (record: LogRecord): number => (JSON.parse(record.value!) as { n: number }).n

export const commitAll = (batch: Batch, metadata?: string): Promise<void> =>
  batch.commit(batch.records.at(-1)!.offset + 1n, metadata)

/** Consumes and commits until `count` records came, then stops. */
export async function take(
  log: EventLog,
  count: number,
  options: Omit<ConsumeOptions, 'handler'>,
): Promise<(LogRecord & { partition: number })[]> {
  const taken: (LogRecord & { partition: number })[] = []
  const consumer = await log.consume({
    lingerMs: 10,
    ...options,
    handler: async (batch) => {
      for (const record of batch.records) taken.push({ ...record, partition: batch.partition })
      await commitAll(batch)
    },
  })
  try {
    await eventually(`${count} records`, () => taken.length >= count)
  } finally {
    await consumer.stop()
  }
  return taken
}

/** Stops these even when the test fails. */
export async function withConsumers(
  work: (keep: (consumer: Consumer) => Consumer) => Promise<void>,
): Promise<void> {
  const kept: Consumer[] = []
  try {
    await work((consumer) => {
      kept.push(consumer)
      return consumer
    })
  } finally {
    await Promise.all(kept.map((consumer) => consumer.stop()))
  }
}
