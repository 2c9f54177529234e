import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import { gaugeOf, type Registry } from '@endcap/platform/metrics'
import { createCronJob } from '../schedule/cron-job.js'
import { RECONCILIATION } from './beside-nobody.js'
import { type VerifyDeps, verify } from './verify.js'

export interface ReconciliationDeps extends VerifyDeps {
  readonly logger: Logger
  readonly registry: Registry
  /** When to compare, as a cron expression in UTC. Default: every hour, seven minutes past. */
  readonly expression?: string
  /** How far back the stores are compared. Default 24. */
  readonly lastHours?: number
}

/**
 * Compares log, ClickHouse, charges, ledger and report by the clock, while traffic flows, in one process at a time. What differs is an
 * alert: `endcap_reconcile_check_ok` falls to 0, and the log names it.
 */
export function createReconciliation(deps: ReconciliationDeps): Component {
  const { postgres, logger, expression = '7 * * * *', lastHours = 24 } = deps
  const metrics = createReconciliationMetrics(deps.registry)
  return createCronJob({
    name: RECONCILIATION,
    expression,
    postgres,
    logger,
    async run() {
      const end = metrics.duration.startTimer()
      const { ok, checks } = await verify(deps, { settled: false, lastHours })
      end()
      for (const check of checks) {
        metrics.ok.set({ check: check.name }, check.ok ? 1 : 0)
        if (!check.ok) logger.error({ ...check }, 'two counts of the same thing differ')
      }
      metrics.lastRun.set(deps.clock() / 1000)
      if (ok) logger.info({ checks: checks.length }, 'log, ClickHouse, charges, ledger and report agree')
    },
  })
}

function createReconciliationMetrics(registry: Registry) {
  return {
    ok: gaugeOf(registry, {
      name: 'endcap_reconcile_check_ok',
      help: '1 when the two counts of a check agreed at the last comparison, 0 when they differed',
      labelNames: ['check'],
    }),
    lastRun: gaugeOf(registry, {
      name: 'endcap_reconcile_last_run_timestamp_seconds',
      help: 'When the stores were last compared; 0: never in this process',
    }),
    duration: gaugeOf(registry, {
      name: 'endcap_reconcile_duration_seconds',
      help: 'How long the last comparison took',
    }),
  }
}
