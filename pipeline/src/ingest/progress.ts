import type { EventLog } from '@endcap/platform/event-log'
import { INGESTED_TOPICS, type IngestedTopic } from './plans.js'

export const INGEST_GROUP = 'ingest'

export interface IngestProgress {
  readonly topic: IngestedTopic
  readonly partition: number
  /** Offset of the next record to store. */
  readonly next: bigint
  readonly end: bigint
  /** Records that are in the log and not yet known to be stored. */
  readonly lag: bigint
}

/** How far each partition of the stored topics has come. */
export async function ingestedThrough(log: EventLog): Promise<IngestProgress[]> {
  const progress: IngestProgress[] = []
  for (const topic of INGESTED_TOPICS) {
    // Offsets first: an end that is read later can only be further on, and lag is never reported too small.
    const committed = await log.committed(INGEST_GROUP, topic)
    for (const { partition, first, end } of await log.ranges(topic)) {
      const stored = committed.get(partition)?.next
      const next = stored === undefined || stored < first ? first : stored
      progress.push({ topic, partition, next, end, lag: end - next })
    }
  }
  return progress
}

/** True when everything that was in the log at the time of the call is stored. */
export const isIngested = async (log: EventLog): Promise<boolean> =>
  (await ingestedThrough(log)).every(({ lag }) => lag <= 0n)
