import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import { createPeriodicJob } from '../periodic/periodic-job.js'
import { createPublishBudgets, type PublishBudgetsDeps } from './publish-budgets.js'

export interface BudgetPublisherDeps extends PublishBudgetsDeps {
  readonly logger: Logger
  /** Default 500 ms. */
  readonly everyMs?: number
}

/** Keeps the ad-servers' view of budgets and wallets fresh. A view only: billing alone decides what is charged. */
export const createBudgetPublisher = (deps: BudgetPublisherDeps): Component =>
  createPeriodicJob({
    name: 'budget-publisher',
    everyMs: deps.everyMs ?? 500,
    run: createPublishBudgets(deps),
    logger: deps.logger,
  })
