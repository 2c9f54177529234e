import { kafkaAvailable, redisAvailable } from '@endcap/platform/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.js'
import { pause, processesOn } from '../support/processes.js'
import { sells, startWholeLoop, type WholeLoop } from '../support/whole-loop.js'

const BEFORE_OUTAGE_MS = 2_000
const OUTAGE_MS = 20_000
/** What Kubernetes grants a process after SIGTERM. */
const GRACE_MS = 30_000

const available = (await kafkaAvailable()) && redisAvailable()

describe.skipIf(!available)(
  'roles in separate processes over Kafka, Redis, Postgres and ClickHouse over HTTP',
  () => {
    let cluster: Cluster
    let loop: WholeLoop | undefined
    beforeAll(async () => {
      cluster = await startCluster({ adServers: 2, pipelines: 1 })
    }, 400_000)
    afterAll(async () => {
      await loop?.end()
      await cluster?.abandon()
    }, 120_000)

    it('search, click, order, report, train and the model is served; verify agrees', async () => {
      loop = await startWholeLoop(cluster)
      await loop.goRound()
    }, 600_000)

    it('the same again while Kafka is away for 20 s in the middle: pages go on, slots are sold, nothing is lost or doubled', async () => {
      await loop!.goRound(async (api) => {
        await pause(BEFORE_OUTAGE_MS)
        await cluster.kafka.stop()
        const stoppedAt = performance.now()
        while (performance.now() - stoppedAt < OUTAGE_MS) {
          expect(await sells(api)).toBe(true)
          await pause(OUTAGE_MS / 10)
        }
        await cluster.kafka.restart()
      })
    }, 600_000)

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
