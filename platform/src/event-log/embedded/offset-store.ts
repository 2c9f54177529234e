import type { Topic } from '@endcap/contracts'
import type { CommittedOffset } from '../event-log.js'
import { recordBytes } from '../limits.js'
import { Partition, type PartitionContext } from './partition.js'

const DIRTY_RATIO = 0.5
/** Below this a compaction saves nothing worth a rewrite. */
const DIRTY_BYTES = 256 * 1024

/**
 * The progress of all groups: a compacted partition of its own, so that commits of many groups share one sync and a
 * crash leaves each group at a commit it really made.
 */
export class OffsetStore {
  private readonly offsets = new Map<string, CommittedOffset>()

  private constructor(private readonly partition: Partition) {}

  static async open(dir: string, context: PartitionContext): Promise<OffsetStore> {
    const store = new OffsetStore(await Partition.open(dir, context))
    const reader = store.partition.reader(store.partition.first)
    try {
      for (;;) {
        const records = await reader.next(1000)
        if (records.length === 0) break
        for (const { key, value } of records) {
          const { next, metadata } = JSON.parse(value!) as { next: string; metadata: string }
          store.offsets.set(key, { next: BigInt(next), metadata })
        }
      }
    } finally {
      await reader.close()
    }
    return store
  }

  get(group: string, topic: Topic, partition: number): CommittedOffset | undefined {
    return this.offsets.get(keyOf(group, topic, partition))
  }

  /** Resolves when the commit survives the death of the machine. */
  async put(group: string, topic: Topic, partition: number, committed: CommittedOffset): Promise<void> {
    const key = keyOf(group, topic, partition)
    const value = JSON.stringify({ next: committed.next.toString(), metadata: committed.metadata })
    const record = { key, value }
    await this.partition.append([record], recordBytes(record), 'synced')
    this.offsets.set(key, committed)
  }

  get problem(): Error | undefined {
    return this.partition.problem
  }

  async maintain(): Promise<void> {
    if (this.partition.bytes > DIRTY_BYTES && this.partition.dirtyRatio > DIRTY_RATIO)
      await this.partition.compact(0)
  }

  close(): Promise<void> {
    return this.partition.close()
  }
}

const keyOf = (group: string, topic: Topic, partition: number): string =>
  JSON.stringify([group, topic, partition])
