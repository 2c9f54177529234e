import { kafkaAvailable, redisAvailable } from '@endcap/platform/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createApiClient } from '../../src/demo/api-client.js'
import { compareAccounts, NO_DISCREPANCIES } from '../support/accounts.js'
import { type Cluster, type Outage, startCluster } from '../support/cluster.js'
import { type Ledger, setUpLoad, startLoad } from '../support/load.js'
import { pause, poll } from '../support/processes.js'

const SEED = 20_260_107
const LONG_OUTAGE_MS = 60_000
const SHORT_OUTAGE_MS = 8_000
/** How often a client looks in while a server is away. */
const LOOK_MS = 1_000
const PATIENCE_MS = 120_000
const SETTLE_TIMEOUT_MS = 240_000
/** Room for less than two hundred auctions. */
const SMALL_SPOOL = String(1024 * 1024)

const available = (await kafkaAvailable()) && redisAvailable()

interface Page {
  readonly slots: readonly { readonly sponsored: boolean }[]
  readonly degraded: readonly string[]
}

describe.skipIf(!available)('servers that go away while the marketplace goes on', () => {
  let cluster: Cluster
  let merchantIds: readonly string[]
  const ledgers: Ledger[] = []
  const target = () => cluster.url
  const targets = () => ({ adServer: target, campaignsApi: target, orders: target, key: cluster.key })

  beforeAll(async () => {
    cluster = await startCluster({
      adServers: 2,
      pipelines: 1,
      adServerEnv: { ENDCAP_SPOOL_MAX_BYTES: SMALL_SPOOL },
    })
    merchantIds = await setUpLoad(targets(), { merchants: 12, listingsEach: 4 })
  }, 400_000)
  afterAll(() => cluster?.abandon(), 120_000)

  afterEach(async () => {
    const verified = await cluster.settleAndVerify(SETTLE_TIMEOUT_MS)
    expect(verified.checks.filter(({ ok }) => !ok)).toEqual([])
    expect(await compareAccounts(cluster, ledgers)).toEqual(NO_DISCREPANCIES)
  }, SETTLE_TIMEOUT_MS + 60_000)

  it(
    'Redis flushed: budgets are kept, pages go on selling, nothing is lost or doubled',
    () =>
      underLoad(async (page) => {
        for (let times = 0; times < 5; times++) {
          await cluster.redis.flush()
          await pause(LOOK_MS)
          expect(sells(await page())).toBe(true)
        }
      }),
    300_000,
  )

  it(
    'Redis stopped: pages go on selling by the last view of budgets, and say that it is stale',
    () =>
      underLoad(async (page) => {
        let told = false
        await away(cluster.redis, SHORT_OUTAGE_MS, async () => {
          const answer = await page()
          expect(sells(answer)).toBe(true)
          told ||= answer.degraded.includes('budget_view_stale')
        })
        expect(told).toBe(true)
        await poll('a fresh view of budgets', PATIENCE_MS, async () =>
          (await page()).degraded.includes('budget_view_stale') ? undefined : true,
        )
      }),
    300_000,
  )

  it(
    'Postgres restarted: pages go on selling; what is written waits and is not lost',
    () =>
      underLoad(async (page) => {
        await away(cluster.postgresServer, SHORT_OUTAGE_MS, async () =>
          expect(sells(await page())).toBe(true),
        )
      }),
    300_000,
  )

  it(
    'ClickHouse away for a minute: pages go on selling and billing goes on; all of it is stored afterwards',
    () =>
      underLoad(async (page) => {
        const clickhouse = cluster.members.find(({ role }) => role === 'clickhouse')!
        const server = { stop: () => clickhouse.kill(), restart: () => clickhouse.start() }
        await away(server, LONG_OUTAGE_MS, async () => expect(sells(await page())).toBe(true))
      }),
    400_000,
  )

  it(
    'Kafka away for a minute and the spool full: pages go on without sponsored slots and say why, then sell again',
    () =>
      underLoad(async (page) => {
        const reasons = new Set<string>()
        let soldNothing = false
        await away(cluster.kafka, LONG_OUTAGE_MS, async () => {
          const { slots, degraded } = await page()
          expect(slots.length).toBeGreaterThan(0)
          for (const reason of degraded) reasons.add(reason)
          if (!degraded.includes('spool_full')) return
          expect(slots.some(({ sponsored }) => sponsored)).toBe(false)
          soldNothing = true
          for (const reason of await unreadiness('ad-server')) reasons.add(reason)
        })
        expect(soldNothing).toBe(true)
        expect([...reasons].join()).toMatch(/spool is full/)
        await poll('sponsored slots', PATIENCE_MS, async () => (sells(await page()) ? true : undefined))
      }),
    400_000,
  )

  /** Lets clients search, click and buy while `fault` happens, and until they are served as before. */
  async function underLoad(fault: (page: () => Promise<Page>) => Promise<void>): Promise<void> {
    const load = startLoad(targets(), {
      seed: SEED + ledgers.length,
      workers: 4,
      runId: `f${ledgers.length}`,
      merchantIds,
    })
    const api = createApiClient({ baseUrl: cluster.url, key: cluster.key })
    const searched = async (more: number) => {
      const before = load.searches()
      await poll(`${more} searches`, PATIENCE_MS, async () =>
        load.searches() >= before + more ? true : undefined,
      )
    }
    try {
      await searched(20)
      const page = () =>
        api.expect<Page>(200, 'POST', '/v1/rank', {
          placement: 'search',
          query: 'shoes',
          organic: [{ listingId: 'elsewhere', score: 1 }],
          slots: { total: 4, sponsored: [1, 2, 3] },
        })
      await poll('campaigns to be served', PATIENCE_MS, async () => (sells(await page()) ? true : undefined))
      await fault(page)
      await searched(20)
    } finally {
      await api.close()
      ledgers.push(await load.stop())
    }
  }

  /** Why the processes of a role are not ready, as they say themselves. */
  async function unreadiness(role: string): Promise<readonly string[]> {
    const urls = cluster.members.filter((member) => member.role === role).map((member) => member.url())
    return Promise.all(urls.map(async (url) => (await fetch(`${url}/readyz`)).text()))
  }

  /** Stops the server, asks `look` now and then while it is away, and brings it back. */
  async function away(
    server: Pick<Outage, 'stop' | 'restart'>,
    ms: number,
    look: () => Promise<unknown>,
  ): Promise<void> {
    await server.stop()
    try {
      const until = performance.now() + ms
      while (performance.now() < until) {
        await look()
        await pause(LOOK_MS)
      }
    } finally {
      await server.restart()
    }
  }
})

const sells = ({ slots }: Page): boolean => slots.some(({ sponsored }) => sponsored)
