import type { Component } from '@endcap/platform/lifecycle'
import { gaugeOf, type Registry } from '@endcap/platform/metrics'
import { createPeriodicJob } from '../periodic/periodic-job.js'
import { STEP_MS } from './domain/controller.js'
import { createStepCampaigns, type StepCampaignsDeps } from './step-campaigns.js'
import { overDelivered } from './store/pacing-store.js'

export interface PacingDeps extends StepCampaignsDeps {
  readonly registry: Registry
}

const DAY_MS = 86_400_000

/** Paces every active campaign, a step every ten seconds, in one process at a time. */
export function createPacing(deps: PacingDeps): Component {
  const stepCampaigns = createStepCampaigns(deps)
  const campaigns = gaugeOf(deps.registry, {
    name: 'endcap_pacing_campaigns',
    help: 'Active campaigns by how pacing holds them: free, bid (multiplier below 1), gate (multiplier at its floor)',
    labelNames: ['hold'],
  })
  const overDelivery = gaugeOf(deps.registry, {
    name: 'endcap_over_delivery_micros',
    help: 'Shown and clicked but not billed because a budget or wallet was used up, judged in the last 24 hours',
    labelNames: ['currency'],
  })
  return createPeriodicJob({
    name: 'pacing',
    everyMs: STEP_MS,
    logger: deps.logger,
    async run() {
      await deps.postgres.withLeadership('pacing', async () => {
        const holds = { free: 0, bid: 0, gate: 0 }
        for (const { multiplier, passThrough } of await stepCampaigns()) {
          holds[passThrough < 1 ? 'gate' : multiplier < 1 ? 'bid' : 'free']++
        }
        for (const [hold, count] of Object.entries(holds)) campaigns.set({ hold }, count)
        overDelivery.reset()
        for (const { currency, micros } of await overDelivered(
          deps.postgres,
          new Date(deps.clock() - DAY_MS),
        )) {
          overDelivery.set({ currency }, Number(micros))
        }
      })
    },
  })
}
