import type { Clock } from '@endcap/contracts'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { Postgres } from '@endcap/platform/postgres'
import { purgeIdempotencyKeys } from '@endcap/storage/postgres'
import { createPeriodicJob } from '../periodic/periodic-job.js'

export interface RetentionDeps {
  readonly postgres: Postgres
  readonly clock: Clock
  readonly logger: Logger
}

const HOUR_MS = 3_600_000
/** A click counts for 24 h; what was seen is kept for twice that after it was recorded, in event time at least as long. */
const SEEN_IMPRESSIONS_MS = 48 * HOUR_MS
const IDEMPOTENCY_KEYS_MS = 7 * 24 * HOUR_MS
/** Rows a statement: short locks, short transactions. */
const SLICE = 10_000

export interface Purged {
  readonly seenImpressions: number
  readonly idempotencyKeys: number
}

/** Deletes what has outlived its use, slice by slice; ends early when `stopping` aborts. */
export async function purge({ postgres, clock }: RetentionDeps, stopping?: AbortSignal): Promise<Purged> {
  const before = (ageMs: number) => new Date(clock() - ageMs)
  const purgeSlices = async (sql: string, cutoff: Date): Promise<number> => {
    let total = 0
    for (;;) {
      if (stopping?.aborted) return total
      const { rowCount } = await postgres.query(sql, [cutoff, SLICE])
      total += rowCount
      if (rowCount < SLICE) return total
    }
  }
  return {
    seenImpressions: await purgeSlices(
      `delete from seen_impressions where ctid = any (array(
         select ctid from seen_impressions where recorded_at < $1 order by recorded_at limit $2))`,
      before(SEEN_IMPRESSIONS_MS),
    ),
    idempotencyKeys: await purgeIdempotencyKeys(postgres, before(IDEMPOTENCY_KEYS_MS)),
  }
}

/** Purges every hour, in one process at a time. */
export const createRetention = (deps: RetentionDeps): Component =>
  createPeriodicJob({
    name: 'retention',
    everyMs: HOUR_MS,
    logger: deps.logger,
    async run(stopping) {
      await deps.postgres.withLeadership('retention', async (lost) => {
        const purged = await purge(deps, AbortSignal.any([stopping, lost]))
        deps.logger.debug(purged, 'purged what has outlived its use')
      })
    },
  })
