import type { ClickHouse } from '@endcap/platform/clickhouse'
import { drop, type Outcome, ok } from '../outcome.js'
import type { TopicPlan } from '../plans.js'
import type { EncodedEvent } from './encode-event.js'

/**
 * Lets the first event of an id pass and drops the others: those of the same batch, and those that other batches have stored.
 * Rows of this very batch do not count as stored, so that a batch tried again after a crash is exactly the same batch: its token then
 * sees to it that it is stored once.
 */
export const createDropDuplicatesStep = (deps: { readonly clickhouse: ClickHouse }, plan: TopicPlan) =>
  async function dropDuplicates(
    events: readonly EncodedEvent[],
    batch: string,
  ): Promise<Outcome<EncodedEvent>[]> {
    if (events.length === 0) return []
    const stored = await deps.clickhouse.query(plan.reads.idsOfOtherBatches, {
      batch,
      ids: events.map((event) => event.id),
      atMs: events.map((event) => event.occurredAtMs),
    })
    const seen = new Set(stored.map((row) => row.eventId))
    return events.map((event) => {
      if (seen.has(event.id)) return drop('duplicate')
      seen.add(event.id)
      return ok(event)
    })
  }
