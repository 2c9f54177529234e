import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import { counterOf, type Registry } from '@endcap/platform/metrics'
import { createPeriodicJob } from '../periodic/periodic-job.js'
import { createWriteTicks, type WriteTicksDeps } from './write-ticks.js'

export interface TicksDeps extends WriteTicksDeps {
  readonly logger: Logger
  readonly registry: Registry
  /** Default 15 s. */
  readonly everyMs?: number
}

/** Lets time pass where a click waits and nothing comes, so that every click gets its verdict. */
export function createTicks(deps: TicksDeps): Component {
  const written = counterOf(deps.registry, {
    name: 'endcap_billing_ticks_total',
    help: 'Ticks written: partitions whose time had to be moved for clicks that waited too long',
  })
  const writeTicks = createWriteTicks(deps)
  return createPeriodicJob({
    name: 'billing-ticks',
    everyMs: deps.everyMs ?? 15_000,
    run: async () => written.inc(await writeTicks()),
    logger: deps.logger,
  })
}
