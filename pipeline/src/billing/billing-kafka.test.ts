import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createIdSource, type InteractionEvent, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { createKafkaLog, type EventLog } from '@endcap/platform/event-log'
import type { Component } from '@endcap/platform/lifecycle'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { kafkaAvailable, startKafka, type TestKafka } from '@endcap/platform/testing'
import { startTestPostgres } from '@endcap/storage/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { allBilled, expectBooksToAgree, impressionAndClick as sold } from '../testing/billed.js'
import {
  type CampaignSeed,
  recordOf,
  seedCampaigns,
  seedMerchants,
  TOKEN_KEYS,
  until,
} from '../testing/marketplace.js'
import { createBilling } from './billing.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const NOW = new Date(NOON)
const clock = () => NOON + 60_000
const PRICE = 250_000n
const PATIENT = 120_000

const available = await kafkaAvailable()
let undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.reverse()) await step()
  undo = []
})

/** A marketplace of its own on a broker of its own. */
async function start(campaigns: readonly CampaignSeed[], depositMicros: bigint) {
  const dir = await mkdtemp(join(tmpdir(), 'endcap-billing-kafka-'))
  undo.push(() => rm(dir, { recursive: true, force: true }))
  const [database, kafka] = await Promise.all([startTestPostgres(), startKafka({ dir })])
  undo.push(
    () => database.stop(),
    () => kafka.stop(),
  )
  const { postgres } = database
  await seedMerchants(postgres, [{ id: 'm1', depositMicros }], NOW)
  await seedCampaigns(postgres, campaigns, NOW)
  const log = openLog(kafka, 'test')
  await log.ensureTopics(TOPIC_SPECS)
  return { database, postgres, kafka, log }
}

function openLog(kafka: TestKafka, clientId: string): EventLog {
  const log = createKafkaLog({
    brokers: kafka.brokers,
    clientId,
    sessionTimeoutMs: 6_000,
    logger: silentLogger(),
  })
  undo.push(() => log.close())
  return log
}

async function startBilling(kafka: TestKafka, postgres: Postgres, name: string): Promise<Component> {
  const billing = createBilling({
    log: openLog(kafka, name),
    postgres,
    tokenKeys: TOKEN_KEYS,
    clock,
    ids: createIdSource(),
    logger: silentLogger(),
    registry: createMetrics({ service: name }),
    maxBatchRecords: 50,
    lingerMs: 5,
  })
  await billing.start()
  undo.push(() => billing.stop())
  return billing
}

const impressionAndClick = (slot: string) => sold(slot, { issuedAtMs: NOON })

const billedOf = async (postgres: Postgres) => {
  const { rows } = await postgres.query<{ reason: string; n: bigint; micros: string }>(
    'select reason, count(*) as n, sum(amount_micros)::text as micros from charges group by reason order by reason',
  )
  return Object.fromEntries(rows.map(({ reason, n }) => [reason || 'charged', Number(n)]))
}

describe.skipIf(!available)('billing over Kafka', () => {
  it(
    'makes exactly 137 charges of 1,000 clicks from four trackers at once, with two consumers that take turns',
    async () => {
      const { postgres, kafka, log } = await start(
        [{ id: 'c1', merchantId: 'm1', budgetTotalMicros: 137n * PRICE }],
        1_000n * PRICE,
      )
      const first = await startBilling(kafka, postgres, 'billing-1')
      const trackers = [1, 2, 3, 4].map((number) => openLog(kafka, `tracker-${number}`))
      const [, twice] = impressionAndClick('twice') as [InteractionEvent, InteractionEvent]
      const sent = Promise.all(
        trackers.map(async (tracker, number) => {
          for (let index = number; index < 1_000; index += 4) {
            await tracker.append(TOPICS.interactions, impressionAndClick(`a${index}`).map(recordOf))
          }
          await tracker.append(
            TOPICS.interactions,
            Array.from({ length: 50 }, () => recordOf(twice)),
          )
        }),
      )
      await until(
        async () => (await billedOf(postgres)).charged !== undefined,
        'something is billed',
        PATIENT,
      )
      await startBilling(kafka, postgres, 'billing-2')
      await sent
      await first.stop()
      await log.append(TOPICS.interactions, impressionAndClick('twice').map(recordOf))
      await allBilled(log, postgres, PATIENT)
      expect(await billedOf(postgres)).toEqual({ charged: 137, over_budget_total: 864 })
      await expectBooksToAgree(postgres)
    },
    PATIENT * 2,
  )

  it(
    'lets a zombie write nothing after a rebalance: it slept, was replaced, and woke with its old offset',
    async () => {
      const { database, postgres, kafka, log } = await start([{ id: 'c1', merchantId: 'm1' }], 1_000n * PRICE)
      await log.append(
        TOPICS.interactions,
        Array.from({ length: 100 }, (_, index) => impressionAndClick(`a${index}`))
          .flat()
          .map(recordOf),
      )
      const zombie = startZombie(database.url, kafka.brokers, 3)
      undo.push(async () => zombie.kill('SIGKILL'))
      const said: string[] = []
      createInterface({ input: zombie.stdout! }).on('line', (line) => said.push(line))
      await until(async () => isStopped(zombie.pid!), 'the zombie sleeps', PATIENT)
      expect(await billedOf(postgres)).toEqual({ charged: 20 })

      await startBilling(kafka, postgres, 'successor')
      await allBilled(log, postgres, PATIENT)
      const before = await billedOf(postgres)
      expect(before).toEqual({ charged: 100 })

      zombie.kill('SIGCONT')
      await until(async () => said.length > 0, 'the zombie has tried', PATIENT)
      expect(said).toEqual(['StaleOffsetError'])
      expect(await billedOf(postgres)).toEqual(before)
      await expectBooksToAgree(postgres)
    },
    PATIENT * 2,
  )
})

function startZombie(url: string, brokers: readonly string[], at: number): ChildProcess {
  const entry = fileURLToPath(new URL('../testing/billing-zombie.ts', import.meta.url))
  const args = ['--import', 'tsx', entry, url, brokers.join(','), String(at), String(clock())]
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** By the state in the process table: T is stopped. */
const isStopped = (pid: number): boolean => /^\d+ \(.*\) T/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
