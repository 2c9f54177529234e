import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdSource, systemClock, TOPIC_SPECS, TOPICS, WALLET_VIEW_KEY } from '@endcap/contracts'
import { PIPELINE_ROLES, type PipelineRole } from '@endcap/platform/config'
import { createEmbeddedLog } from '@endcap/platform/event-log'
import { createProcess } from '@endcap/platform/lifecycle'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { createMemoryStateStore } from '@endcap/platform/state-store'
import { startTestClickHouse, startTestPostgres } from '@endcap/platform/testing'
import { expect, it } from 'vitest'
import { createPipeline } from './create-pipeline.js'
import { verify, waitUntilSettled } from './reconcile/index.js'
import {
  interactionOf,
  recordOf,
  seedCampaigns,
  seedMerchants,
  slotToken,
  TOKEN_KEYS,
  until,
} from './testing/marketplace.js'

it.each<[string, readonly (readonly PipelineRole[])[]]>([
  ['one process', [PIPELINE_ROLES]],
  ['two processes of each part', [...PIPELINE_ROLES, ...PIPELINE_ROLES].map((part) => [part])],
])(
  '%s: takes a click from the log to wallet, ledger, ClickHouse and the view of budgets, and stops cleanly',
  async (_, processes) => {
    const clock = systemClock
    const { postgres, ...database } = await startTestPostgres()
    const { clickhouse, ...engine } = await startTestClickHouse()
    const dir = await mkdtemp(join(tmpdir(), 'endcap-pipeline-'))
    const log = createEmbeddedLog({ dir, clock })
    const state = createMemoryStateStore({ clock })
    try {
      await log.ensureTopics(TOPIC_SPECS)
      await seedMerchants(postgres, [{ id: 'm1', depositMicros: 1_000_000n }], new Date(clock()))
      await seedCampaigns(postgres, [{ id: 'c1', merchantId: 'm1' }], new Date(clock()))
      const pipelines = processes.map((parts) => {
        const { components } = createPipeline(
          {
            postgres,
            clickhouse,
            log,
            state,
            tokenKeys: TOKEN_KEYS,
            clock,
            ids: createIdSource(),
            logger: silentLogger(),
            registry: createMetrics({ service: parts.join() }),
            trainCron: '0 0 1 1 *',
          },
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
      expect(rightOf('charges_in_clickhouse')).toBe('EUR 0.25 (1 of 1)')
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
