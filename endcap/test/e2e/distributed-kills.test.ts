import { kafkaAvailable, redisAvailable } from '@endcap/platform/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../src/demo/random.js'
import { compareAccounts, NO_DISCREPANCIES } from '../support/accounts.js'
import { type Cluster, type Member, startCluster } from '../support/cluster.js'
import { type Ledger, setUpLoad, startLoad } from '../support/load.js'
import { pause, poll, processesOn } from '../support/processes.js'

const SEED = 20_260_106
const ROUNDS = 10
const KILLS_A_ROUND = 5
/** From this round on one pipeline has all partitions; before, two share them. */
const ALONE_FROM_ROUND = 8
const LONGEST_RUN_MS = 1_500
const LONGEST_ABSENCE_MS = 500
const RESTART_TIMEOUT_MS = 120_000
const SETTLE_TIMEOUT_MS = 240_000

const available = (await kafkaAvailable()) && redisAvailable()

describe.skipIf(!available)('roles in separate processes that are killed', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster({ adServers: 2, pipelines: 2 })
  }, 400_000)
  afterAll(() => cluster?.abandon(), 120_000)

  it(`${ROUNDS * KILLS_A_ROUND} kills under load lose nothing, double nothing, and verify agrees after each round`, async () => {
    const random = createRandom(SEED)
    const target = () => cluster.url
    const targets = { adServer: target, campaignsApi: target, orders: target, key: cluster.key }
    const merchantIds = await setUpLoad(targets, { merchants: 12, listingsEach: 4 })
    const ledgers: Ledger[] = []
    const killed = new Set<string>()

    for (let round = 1; round <= ROUNDS; round++) {
      if (round === ALONE_FROM_ROUND) expect(await leaveAlone()).toBe(0)
      const load = startLoad(targets, { seed: SEED + round, workers: 4, runId: `r${round}`, merchantIds })
      await poll('the load', RESTART_TIMEOUT_MS, async () => (load.searches() > 10 ? true : undefined))
      const restarts: Promise<void>[] = []
      for (const victim of draw(random, cluster.members.filter(isUp)).slice(0, KILLS_A_ROUND)) {
        await pause(random() * LONGEST_RUN_MS)
        killed.add(victim.role)
        await victim.kill()
        restarts.push(pause(random() * LONGEST_ABSENCE_MS).then(() => victim.start()))
      }
      await Promise.all(restarts)
      const searchesBefore = load.searches()
      await poll('searches to go on', RESTART_TIMEOUT_MS, async () =>
        load.searches() > searchesBefore + 10 ? true : undefined,
      )
      ledgers.push(await load.stop())

      const verified = await cluster.settleAndVerify(SETTLE_TIMEOUT_MS)
      const failing = verified.checks.filter(({ ok }) => !ok)
      expect({ round, failing }).toEqual({ round, failing: [] })
      expect(await compareAccounts(cluster, ledgers)).toEqual(NO_DISCREPANCIES)
    }

    expect([...killed].sort()).toEqual(['ad-server', 'campaigns-api', 'clickhouse', 'orders', 'pipeline'])
    const told = await cluster.run(['verify'])
    expect(JSON.parse(told.stdout)).toMatchObject({ ok: true })
    const { dir } = cluster
    await cluster.stop()
    expect(await processesOn(dir)).toEqual([])
  }, 900_000)

  const leaveAlone = () => cluster.members.find(({ name }) => name === 'pipeline-2')!.stop()
})

/** In an order of chance. */
const draw = (random: Random, members: readonly Member[]): readonly Member[] =>
  members
    .map((member) => ({ member, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ member }) => member)

const isUp = (member: Member): boolean => member.url() !== undefined
