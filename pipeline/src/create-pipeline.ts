import type { Clock, IdSource, TokenKey } from '@endcap/contracts'
import { buildStats, trainModel } from '@endcap/models'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { EventLog } from '@endcap/platform/event-log'
import type { Component, Service } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import type { StateStore } from '@endcap/platform/state-store'
import { createOutboxRelay } from '@endcap/storage/postgres'
import { createAttribution } from './attribution/index.js'
import { createBilling, createTicks } from './billing/index.js'
import { createBudgetPublisher } from './budgets/index.js'
import { createIngest } from './ingest/index.js'
import { createPacing } from './pacing/index.js'
import { createReconciliation } from './reconcile/index.js'
import { createRetention } from './retention/index.js'
import { createStatsSchedule, createTrainingSchedule } from './schedule/index.js'
import { PIPELINE_ROLES, type PipelineRole } from './service.js'

export interface PipelineDeps {
  readonly postgres: Postgres
  readonly clickhouse: ClickHouse
  readonly log: EventLog
  readonly state: StateStore
  readonly tokenKeys: readonly TokenKey[]
  readonly clock: Clock
  readonly ids: IdSource
  readonly logger: Logger
  readonly registry: Registry
  /** When to retrain: a cron expression in UTC. */
  readonly trainCron: string
}

/**
 * Everything that happens after an event: outbox → log → billing, ingest → attribution, statistics and models, and the view of
 * budgets that the ad-servers read. It has no routes. Of `deps` only what the parts use is touched.
 *
 * @param parts what of it this process does: all by default
 * @throws CronExpressionError when `trainCron` is none
 */
export function createPipeline(deps: PipelineDeps, parts: readonly PipelineRole[] = PIPELINE_ROLES): Service {
  return {
    routes() {},
    // Stopped in the reverse order: what billing decides last is still published, carried to the log and stored in ClickHouse.
    components: PIPELINE_ROLES.filter((part) => parts.includes(part)).flatMap((part) => PARTS[part](deps)),
  }
}

const PARTS: Readonly<Record<PipelineRole, (deps: PipelineDeps) => readonly Component[]>> = {
  ingest: (deps) => [createIngest(deps)],
  relay: (deps) => [createOutboxRelay({ ...deps, metrics: deps.registry })],
  jobs: (deps) => [
    createBudgetPublisher(deps),
    createPacing(deps),
    createAttribution(deps),
    createStatsSchedule({ ...deps, build: () => buildStats(deps) }),
    createTrainingSchedule({
      ...deps,
      expression: deps.trainCron,
      train: () => trainModel(deps, { promote: true, actor: 'schedule' }),
    }),
    createReconciliation(deps),
    createRetention(deps),
  ],
  billing: (deps) => [createBilling(deps), createTicks(deps)],
}
