import type { Topic } from '@endcap/contracts'
import type { Batch, Consumer, EventLog, LogRecord } from './event-log.js'

/** Records of one partition that are always handled together: the same `token` always means the same records. */
export interface LogRange {
  readonly topic: Topic
  readonly partition: number
  /** Offset of the first and of the last record, both inclusive. */
  readonly first: bigint
  readonly last: bigint
  /** `topic:partition:first-last`: the deduplication token of whatever the handler writes. */
  readonly token: string
  readonly records: readonly LogRecord[]
  /** It was begun before, by this consumer or by one that died: nobody knows how much of it was written. */
  readonly again: boolean
  /** Keeps the partition during long work (Kafka). */
  heartbeat(): Promise<void>
  isStale(): boolean
}

export interface RangeOptions {
  readonly group: string
  readonly topics: readonly Topic[]
  /** A range has at most this many records. */
  readonly maxRangeRecords: number
  /** How long a range may wait to be filled. */
  readonly lingerMs: number
  /** Must be idempotent by `token`. When it throws, the same range comes again. */
  readonly handler: (range: LogRange) => Promise<void>
  readonly onError?: (error: unknown, where: { topic: Topic; partition: number }) => void
  readonly retryDelayMs?: number
}

interface Bounds {
  readonly first: bigint
  readonly last: bigint
}

/**
 * For effects exactly once in a store that drops a repeated token: before a range is handled, its bounds are kept as metadata of
 * the group's committed offset, and after it the offset moves on with empty metadata. Whoever takes over after a
 * crash cuts that very range again, so that the store sees the same token with the same records, however differently
 * the batches arrive. A store that may remember a token and have lost its rows must be asked what it holds: such a range is `again`.
 */
export function consumeInRanges(log: EventLog, options: RangeOptions): Promise<Consumer> {
  /** The part of an intended range that earlier batches brought, by partition. */
  const gathered = new Map<string, LogRecord[]>()

  async function handleBatch(batch: Batch): Promise<void> {
    const place = `${batch.topic}:${batch.partition}`
    const start = batch.committed?.next ?? 0n
    let rest = batch.records.filter((record) => record.offset >= start)
    const intent = parseIntent(batch.committed?.metadata ?? '')
    if (intent) {
      // A batch that comes again after an error brings records that are held already.
      const firstNew = rest[0]?.offset ?? intent.last + 1n
      const held = (gathered.get(place) ?? []).filter(
        ({ offset }) => offset >= intent.first && offset < firstNew,
      )
      const range = [...held, ...rest.filter((record) => record.offset <= intent.last)]
      rest = rest.filter((record) => record.offset > intent.last)
      if (rest.length === 0 && range.at(-1)?.offset !== intent.last) {
        gathered.set(place, range)
        return
      }
      await handleRange(batch, intent, range, true)
    }
    gathered.delete(place)
    for (let from = 0; from < rest.length; from += options.maxRangeRecords) {
      const records = rest.slice(from, from + options.maxRangeRecords)
      const bounds = { first: records[0]!.offset, last: records.at(-1)!.offset }
      await batch.commit(bounds.first, printIntent(bounds))
      await handleRange(batch, bounds, records, false)
    }
  }

  async function handleRange(
    batch: Batch,
    bounds: Bounds,
    records: readonly LogRecord[],
    again: boolean,
  ): Promise<void> {
    // Empty only when retention has deleted an intended range: there is nothing left to repeat.
    if (records.length > 0) {
      await options.handler({
        topic: batch.topic,
        partition: batch.partition,
        ...bounds,
        token: `${batch.topic}:${batch.partition}:${printIntent(bounds)}`,
        records,
        again,
        heartbeat: () => batch.heartbeat(),
        isStale: () => batch.isStale(),
      })
    }
    await batch.commit(bounds.last + 1n)
  }

  return log.consume({
    group: options.group,
    topics: options.topics,
    maxBatchRecords: options.maxRangeRecords,
    lingerMs: options.lingerMs,
    handler: handleBatch,
    ...(options.onError && { onError: options.onError }),
    ...(options.retryDelayMs !== undefined && { retryDelayMs: options.retryDelayMs }),
  })
}

const printIntent = ({ first, last }: Bounds): string => `${first}-${last}`

function parseIntent(metadata: string): Bounds | undefined {
  const match = /^(\d+)-(\d+)$/.exec(metadata)
  return match ? { first: BigInt(match[1]!), last: BigInt(match[2]!) } : undefined
}
