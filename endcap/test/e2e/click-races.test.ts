import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Verification } from '@endcap/pipeline'
import type { Queryable } from '@endcap/platform/postgres'
import { kafkaAvailable, redisAvailable } from '@endcap/platform/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyInstallation } from '../../src/host/verify-installation.js'
import { withPorts } from '../../src/host/with-ports.js'
import { type Cluster, startCluster } from '../support/cluster.js'
import { type Crowd, gatherCrowd, PRICE_MICROS } from '../support/crowd.js'
import { type EndcapProcess, startEndcap } from '../support/endcap-process.js'
import { poll } from '../support/processes.js'

const CLICKS = 1_000
const PAID_FOR = 137
const REPEATS = 50
const CAMPAIGNS = 20
const CLICKS_A_CAMPAIGN = 30
const WALLET_PAYS_FOR = 200
const START_MS = 400_000
const TEST_MS = 400_000
const SETTLE_MS = 240_000
const SERVED_MS = 60_000

const TRUSTING = { ENDCAP_TRUSTED_PROXIES: '127.0.0.1' }
const words = Array.from({ length: CAMPAIGNS }, (_, index) => `word${index}`)
const money = (micros: bigint): string => (Number(micros) / 1e6).toFixed(2)

/** Everybody clicks at once on what one merchant can pay for only in part. @returns what must have been charged */
async function race(crowd: Crowd) {
  const rich = await crowd.merchant('1000')
  const limited = await crowd.campaign(rich, 'limited', { total: money(PRICE_MICROS * BigInt(PAID_FOR)) })
  const repeated = await crowd.campaign(rich, 'repeated', { total: '100' })
  const poor = await crowd.merchant(money(PRICE_MICROS * BigInt(WALLET_PAYS_FOR)))
  for (const word of words) await crowd.campaign(poor, word, { total: '100' })
  await poll('the last campaign to be served', SERVED_MS, async () =>
    (await crowd.see(words.slice(-1), 1).catch(() => undefined)) ? true : undefined,
  )

  const limitedClicks = await crowd.see(['limited'], CLICKS)
  const [repeatedClick] = await crowd.see(['repeated'], 1)
  const walletClicks = await crowd.see(words, CAMPAIGNS * CLICKS_A_CAMPAIGN)
  expect(new Set(limitedClicks).size).toBe(CLICKS)

  // The shopper is sent on, whoever pays.
  expect(await crowd.click(limitedClicks)).toEqual({ 302: CLICKS })
  expect(await crowd.click(Array.from({ length: REPEATS }, () => repeatedClick!))).toEqual({ 302: REPEATS })
  expect(await crowd.click(walletClicks)).toEqual({ 302: walletClicks.length })
  return { limited, repeated, poor }
}

interface Counted {
  readonly outcome: string
  readonly reason: string
  readonly charges: bigint
  readonly micros: bigint
}

async function chargesOf(postgres: Queryable, column: 'campaign_id' | 'merchant_id', id: string) {
  const { rows } = await postgres.query<Counted>(
    `select outcome, reason, count(*) as charges, sum(amount_micros)::bigint as micros from charges
     where ${column} = $1 and interaction_type = 'click' group by outcome, reason order by outcome, reason`,
    [id],
  )
  return rows.map(({ outcome, reason, charges, micros }) => [outcome, reason, Number(charges), micros])
}

async function expectExactCharges(
  postgres: Queryable,
  { limited, repeated, poor }: Awaited<ReturnType<typeof race>>,
): Promise<void> {
  expect(await chargesOf(postgres, 'campaign_id', limited)).toEqual([
    ['charged', '', PAID_FOR, PRICE_MICROS * BigInt(PAID_FOR)],
    ['not_charged', 'over_budget_total', CLICKS - PAID_FOR, 0n],
  ])
  expect(await chargesOf(postgres, 'campaign_id', repeated)).toEqual([
    ['charged', '', 1, PRICE_MICROS],
    ['not_charged', 'repeat', REPEATS - 1, 0n],
  ])
  expect(await chargesOf(postgres, 'merchant_id', poor)).toEqual([
    ['charged', '', WALLET_PAYS_FOR, PRICE_MICROS * BigInt(WALLET_PAYS_FOR)],
    ['not_charged', 'over_wallet', CAMPAIGNS * CLICKS_A_CAMPAIGN - WALLET_PAYS_FOR, 0n],
  ])
  const { rows } = await postgres.query<{ balance: bigint }>(
    `select balance_micros as balance from ledger_accounts where kind = 'wallet' and merchant_id = $1`,
    [poor],
  )
  expect(rows).toEqual([{ balance: 0n }])
}

const failing = ({ checks }: Verification) => checks.filter(({ ok }) => !ok)

describe('clicks that race for the same money, in one process', () => {
  let dir: string
  let server: EndcapProcess | undefined
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'endcap-races-'))
    // The embedded Postgres may run under another account.
    await chmod(dir, 0o755)
  })
  afterAll(async () => {
    await server?.kill()
    await rm(dir, { recursive: true, force: true })
  })

  it(
    'are billed to the last cent that is there, and not one more',
    async () => {
      const dataDir = join(dir, 'data')
      server = await startEndcap({ roles: ['all'], dataDir, env: TRUSTING })
      const key = (await readFile(join(dataDir, 'operator.key'), 'utf8')).trim()
      const crowd = gatherCrowd({ url: server.url, key })
      const raced = await race(crowd)
      await crowd.close()
      expect(await server.stop()).toBe(0)
      server = undefined
      const options = { onProgress() {}, onUnsettled: fail }
      expect(failing(await verifyInstallation({ dataDir }, options))).toEqual([])
      await withPorts({ dataDir }, ['postgres'], ({ ports }) => expectExactCharges(ports.postgres, raced))
    },
    TEST_MS,
  )
})

const available = (await kafkaAvailable()) && redisAvailable()

describe.skipIf(!available)('clicks that race for the same money, at four ad-servers', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster({ adServers: 4, pipelines: 2, adServerEnv: TRUSTING })
  }, START_MS)
  afterAll(() => cluster?.abandon(), 120_000)

  it(
    'are billed to the last cent that is there, and not one more',
    async () => {
      const crowd = gatherCrowd(cluster)
      const raced = await race(crowd)
      await crowd.close()
      expect(failing(await cluster.settleAndVerify(SETTLE_MS))).toEqual([])
      await expectExactCharges(cluster.postgres, raced)
    },
    TEST_MS,
  )
})

function fail(sentence: string): never {
  throw new Error(sentence)
}
