import { kafkaAvailable, redisAvailable } from '@endcap/platform/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareAccounts, countTracked, NO_DISCREPANCIES } from '../support/accounts.js'
import { type Cluster, startCluster } from '../support/cluster.js'
import { setUpLoad, startLoad } from '../support/load.js'
import { pause, poll, processesOn } from '../support/processes.js'
import { playWholeLoop } from '../support/whole-loop.js'

const BEFORE_OUTAGE_MS = 4_000
const OUTAGE_MS = 20_000
const AFTER_OUTAGE_MS = 4_000
const SETTLE_TIMEOUT_MS = 240_000
/** What Kubernetes grants a process after SIGTERM. */
const GRACE_MS = 30_000

const available = (await kafkaAvailable()) && redisAvailable()

describe.skipIf(!available)(
  'roles in separate processes over Kafka, Redis, Postgres and ClickHouse over HTTP',
  () => {
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await startCluster({ adServers: 2, pipelines: 1 })
    }, 400_000)
    afterAll(() => cluster?.abandon(), 120_000)

    it('search, click, order, report, train and the model is served; verify agrees', async () => {
      await playWholeLoop(cluster)
    }, 900_000)

    it('Kafka away for 20 s in the middle of the load: serving goes on, nothing accepted is lost or doubled', async () => {
      const target = () => cluster.url
      const targets = { adServer: target, campaignsApi: target, orders: target, key: cluster.key }
      const merchantIds = await setUpLoad(targets, { merchants: 8, listingsEach: 4 })
      const trackedBefore = await countTracked(cluster.clickhouse)
      const load = startLoad(targets, { seed: 3, workers: 4, runId: 'outage', merchantIds })
      await poll('sponsored slots of the load', 120_000, async () =>
        load.sponsored() > 20 ? true : undefined,
      )
      await pause(BEFORE_OUTAGE_MS)

      await cluster.kafka.stop()
      const stoppedAt = performance.now()
      const atStop = { searches: load.searches(), sponsored: load.sponsored() }
      await pause(OUTAGE_MS / 2)
      const midway = { searches: load.searches(), sponsored: load.sponsored() }
      expect(midway.searches, 'pages go on').toBeGreaterThan(atStop.searches + 3)
      await pause(OUTAGE_MS - (performance.now() - stoppedAt))
      expect(load.searches(), 'pages go on').toBeGreaterThan(midway.searches + 3)
      expect(load.sponsored(), 'slots are still sold while spooled').toBeGreaterThan(atStop.sponsored + 3)
      await cluster.kafka.restart()
      await pause(AFTER_OUTAGE_MS)

      const ledger = await load.stop()
      const verified = await cluster.settleAndVerify(SETTLE_TIMEOUT_MS)
      expect(verified.checks.filter(({ ok }) => !ok)).toEqual([])
      const after = await compareAccounts(cluster, [ledger], trackedBefore)
      expect(after).toEqual(NO_DISCREPANCIES)
    }, 900_000)

    it('SIGTERM ends every process and leaves nothing behind, also while Kafka is away', async () => {
      const { dir, members } = cluster
      await cluster.kafka.stop()
      const cutOff = members.filter(({ name }) => name === 'pipeline-1' || name === 'ad-server-2')
      const startedAt = performance.now()
      const cutOffCodes = await Promise.all(cutOff.map((member) => member.stop()))
      expect(performance.now() - startedAt).toBeLessThan(GRACE_MS)
      // 1: what could not be told to Kafka is on disk or in Postgres, and the log says so.
      for (const code of cutOffCodes) expect([0, 1]).toContain(code)

      await cluster.kafka.restart()
      const codes = await cluster.stop()
      const leftUp = Object.entries(codes).filter(([name]) => !cutOff.some((member) => member.name === name))
      expect(Object.fromEntries(leftUp)).toEqual(Object.fromEntries(leftUp.map(([name]) => [name, 0])))
      expect(await processesOn(dir)).toEqual([])
    }, 300_000)
  },
)
