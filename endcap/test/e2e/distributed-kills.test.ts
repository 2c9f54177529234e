import { PIPELINE_ROLES } from '@endcap/pipeline/service'
import { kafkaAvailable, redisAvailable } from '@endcap/platform/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRandom, pick, type Random } from '../../src/demo/random.js'
import type { Role } from '../../src/host/services.js'
import { compareAccounts, NO_DISCREPANCIES } from '../support/accounts.js'
import { type Cluster, type Member, startCluster } from '../support/cluster.js'
import { type Ledger, setUpLoad, startLoad } from '../support/load.js'
import { pause, poll, processesOn } from '../support/processes.js'

const SEED = 20_260_106
const ROUNDS = 5
/** Twice in every round. */
const OFTEN: readonly Role[] = ['billing', 'ingest', 'ad-server', 'relay']
/** Two of them in every round, in turn. */
const IN_TURN: readonly Role[] = ['jobs', 'clickhouse', 'orders', 'campaigns-api']
const KILLS = ROUNDS * (2 * OFTEN.length + 2)
/** From this round on there is one process of each part of the pipeline; before, two share partitions or stand by for each other. */
const ALONE_FROM_ROUND = 4
const LONGEST_RUN_MS = 1_500
const LONGEST_ABSENCE_MS = 500
const RESTART_TIMEOUT_MS = 120_000
const SETTLE_TIMEOUT_MS = 240_000

const available = (await kafkaAvailable()) && redisAvailable()

describe.skipIf(!available)('roles in separate processes that are killed', () => {
  let cluster: Cluster
  beforeAll(async () => {
    const parts = { ingest: 2, relay: 2, jobs: 1, billing: 2 }
    cluster = await startCluster({ adServers: 2, pipelines: 0, parts })
  }, 400_000)
  afterAll(() => cluster?.abandon(), 120_000)

  it(`${KILLS} kills of single processes under load lose nothing, double nothing, and verify agrees after each round`, async () => {
    const random = createRandom(SEED)
    const target = () => cluster.url
    const targets = { adServer: target, campaignsApi: target, orders: target, key: cluster.key }
    const merchantIds = await setUpLoad(targets, { merchants: 12, listingsEach: 4 })
    const ledgers: Ledger[] = []
    const killed: Role[] = []

    for (let round = 1; round <= ROUNDS; round++) {
      if (round === ALONE_FROM_ROUND) expect(await leaveAlone()).toEqual({ ingest: 0, relay: 0, billing: 0 })
      const load = startLoad(targets, { seed: SEED + round, workers: 4, runId: `r${round}`, merchantIds })
      await poll('the load', RESTART_TIMEOUT_MS, async () => (load.searches() > 10 ? true : undefined))
      const restarts: Promise<void>[] = []
      for (const role of victimsOf(round, random)) {
        await pause(random() * LONGEST_RUN_MS)
        const victim = await upMember(role, random)
        killed.push(role)
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

    expect(killed).toHaveLength(KILLS)
    for (const role of OFTEN) expect(timesOf(killed, role), role).toBe(2 * ROUNDS)
    for (const role of IN_TURN) expect(timesOf(killed, role), role).toBeGreaterThanOrEqual(2)
    const told = await cluster.run(['verify'])
    expect(JSON.parse(told.stdout)).toMatchObject({ ok: true })
    const { dir } = cluster
    await cluster.stop()
    expect(await processesOn(dir)).toEqual([])
  }, 900_000)

  /** One that is up: of two copies, the other may still be on its way back. */
  const upMember = (role: Role, random: Random): Promise<Member> =>
    poll(`a process of ${role}`, RESTART_TIMEOUT_MS, async () => {
      const up = cluster.members.filter((member) => member.role === role && member.url() !== undefined)
      return up.length > 0 ? pick(random, up) : undefined
    })

  async function leaveAlone(): Promise<Partial<Record<Role, number | null>>> {
    const second = PIPELINE_ROLES.map((part) => cluster.members.find(({ name }) => name === `${part}-2`))
    const leaving = second.filter((member) => member !== undefined)
    return Object.fromEntries(
      await Promise.all(leaving.map(async (member) => [member.role, await member.stop()])),
    )
  }
})

/** In an order of chance. */
function victimsOf(round: number, random: Random): readonly Role[] {
  const others = [2 * round, 2 * round + 1].map((turn) => IN_TURN[turn % IN_TURN.length]!)
  return [...OFTEN, ...OFTEN, ...others]
    .map((role) => ({ role, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ role }) => role)
}

const timesOf = (killed: readonly Role[], role: Role): number => killed.filter((name) => name === role).length
