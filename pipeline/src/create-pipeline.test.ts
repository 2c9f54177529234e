import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdSource, systemClock, TOPIC_SPECS, TOPICS, WALLET_VIEW_KEY } from '@endcap/contracts'
import { createEmbeddedLog, partitionOf } from '@endcap/platform/event-log'
import { createProcess } from '@endcap/platform/lifecycle'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { createMemoryStateStore } from '@endcap/platform/state-store'
import { startTestClickHouse, startTestPostgres } from '@endcap/storage/testing'
import { expect, it } from 'vitest'
import { createBilling } from './billing/index.js'
import { createPipeline } from './create-pipeline.js'
import { verify, waitUntilSettled } from './reconcile/index.js'
import { PIPELINE_ROLES, type PipelineRole } from './service.js'
import { allBilled } from './testing/billed.js'
import {
  interactionOf,
  recordOf,
  seedCampaigns,
  seedMerchants,
  slotToken,
  TOKEN_KEYS,
  until,
} from './testing/marketplace.js'

/** Whose interactions go to another partition than those of m1, where nothing comes. */
const QUIET = ['m2', 'm3', 'm4'].find((id) => partitionOf(id, 4) !== partitionOf('m1', 4))!

it.each<[string, readonly (readonly PipelineRole[])[]]>([
  ['one process', [PIPELINE_ROLES]],
  ['two processes of each part', [...PIPELINE_ROLES, ...PIPELINE_ROLES].map((part) => [part])],
])(
  '%s: takes a click from the log to wallet, ledger, ClickHouse and the view of budgets, and stops cleanly',
  async (_, processes) => {
    const startedMs = systemClock()
    // Ten times as fast: a tick comes a minute after the log is first seen.
    const clock = () => startedMs + 10 * (systemClock() - startedMs)
    const { postgres, ...database } = await startTestPostgres()
    const { clickhouse, ...engine } = await startTestClickHouse()
    const dir = await mkdtemp(join(tmpdir(), 'endcap-pipeline-'))
    const log = createEmbeddedLog({ dir, clock })
    const state = createMemoryStateStore({ clock })
    try {
      await log.ensureTopics(TOPIC_SPECS)
      const merchants = [{ id: 'm1', depositMicros: 1_000_000n }, { id: QUIET }]
      await seedMerchants(postgres, merchants, new Date(clock()))
      const campaigns = [
        { id: 'c1', merchantId: 'm1' },
        { id: 'c2', merchantId: QUIET },
      ]
      await seedCampaigns(postgres, campaigns, new Date(clock()))
      const shared = {
        postgres,
        clickhouse,
        log,
        state,
        tokenKeys: TOKEN_KEYS,
        clock,
        ids: createIdSource(),
        logger: silentLogger(),
        trainCron: '0 0 1 1 *',
      }
      // A click that still waited for its impression when an earlier process ended.
      const before = clock() - 20 * 60_000
      const unseen = { auctionId: 'a0', issuedAtMs: before, merchantId: QUIET, campaignId: 'c2' }
      const clickAlone = interactionOf('unseen', 'click', before, slotToken(unseen))
      await log.append(TOPICS.interactions, [recordOf(clickAlone)])
      const earlier = createBilling({ ...shared, registry: createMetrics({ service: 'earlier' }) })
      await earlier.start()
      await allBilled(log, postgres)
      await earlier.stop()
      const pipelines = processes.map((parts) => {
        const { components } = createPipeline(
          { ...shared, registry: createMetrics({ service: parts.join() }) },
          parts,
        )
        return { components, ...createProcess({ components, logger: silentLogger() }) }
      })
      for (const pipeline of pipelines) await pipeline.start()
      const nowMs = clock()
      const token = slotToken({ auctionId: 'a1', issuedAtMs: nowMs - 2_000 })
      const events = [
        interactionOf('impression', 'impression', nowMs - 1_000, token),
        interactionOf('click', 'click', nowMs, token),
      ]
      await log.append(TOPICS.interactions, events.map(recordOf))
      await until(async () => {
        const { rows } = await postgres.query<{ reason: string }>(
          `select reason from charges where interaction_id = 'unseen'`,
        )
        return rows[0]?.reason === 'no_impression'
      }, 'a click that nothing came after has its verdict')
      await waitUntilSettled({ postgres, log }, 30_000)
      await until(
        async () => (await state.hashGetAll(WALLET_VIEW_KEY)).get('m1') === '750000',
        'the wallet is seen',
        2_000,
      )
      const result = await verify({ postgres, clickhouse, log, tokenKeys: TOKEN_KEYS, clock })
      expect(result).toMatchObject({ ok: true })
      const rightOf = (check: string) => result.checks.find(({ name }) => name === check)?.right
      expect(rightOf('charges_equal_report')).toBe('0.25')
      expect(rightOf('charges_in_clickhouse')).toBe('EUR 0.25 (1 of 2)')
      for (const { components, ...pipeline } of pipelines.reverse()) {
        expect(Object.values(await pipeline.readiness())).toEqual(components.map(() => null))
        expect(await pipeline.stop()).toBe(true)
      }
    } finally {
      await state.close()
      await log.close()
      await engine.close()
      await database.stop()
      await rm(dir, { recursive: true, force: true })
    }
  },
)
