import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Verification } from '@endcap/pipeline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../src/demo/random.js'
import { verifyInstallation } from '../../src/host/verify-installation.js'
import { withPorts } from '../../src/host/with-ports.js'
import { compareAccounts, NO_DISCREPANCIES } from '../support/accounts.js'
import { type EndcapProcess, launchEndcap, runEndcap, startEndcap } from '../support/endcap-process.js'
import { setUpLoad, startLoad } from '../support/load.js'
import { pause, poll, processesOn } from '../support/processes.js'

const SEED = 20_260_105
const KILLS_UNDER_LOAD = 40
/** After so many kills the next process is killed too, before it is ready: while it recovers. Then everything is recounted. */
const KILLS_A_ROUND = 4
const KILLS = KILLS_UNDER_LOAD + KILLS_UNDER_LOAD / KILLS_A_ROUND
const LONGEST_RUN_MS = 1_500
const LONGEST_RECOVERY_MS = 2_500
const WORKERS = 6
const PATIENCE_MS = 120_000

let dir: string
let dataDir: string
let server: EndcapProcess | undefined
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'endcap-kills-'))
  // The embedded Postgres may run under another account.
  await chmod(dir, 0o755)
  dataDir = join(dir, 'data')
})
afterAll(async () => {
  await server?.kill()
  await rm(dir, { recursive: true, force: true })
})

const failing = ({ checks }: Verification) => checks.filter(({ ok }) => !ok)

describe('one process that is killed', () => {
  it(`${KILLS} kills under load and while recovering lose nothing, double nothing, and verify agrees after each round`, async () => {
    const random = createRandom(SEED)
    server = await startEndcap({ roles: ['all'], dataDir })
    const url = () => server?.url ?? 'http://127.0.0.1:9'
    const key = (await readFile(join(dataDir, 'operator.key'), 'utf8')).trim()
    const targets = { adServer: url, campaignsApi: url, orders: url, key }
    const merchantIds = await setUpLoad(targets, { merchants: 12, listingsEach: 4 })
    const load = startLoad(targets, { seed: SEED, workers: WORKERS, runId: 'k', merchantIds })

    let kills = 0
    for (let kill = 1; kill <= KILLS_UNDER_LOAD; kill++) {
      const searchesBefore = load.searches()
      await pause(random() * LONGEST_RUN_MS)
      await server.kill()
      server = undefined
      kills++
      if (kill % KILLS_A_ROUND === 0) {
        const recovering = launchEndcap({ roles: ['all'], dataDir })
        await pause(random() * LONGEST_RECOVERY_MS)
        await recovering.kill()
        kills++
        const verified = await verifyInstallation({ dataDir }, { onProgress() {}, onUnsettled: fail })
        expect({ kill, failing: failing(verified) }).toEqual({ kill, failing: [] })
      }
      server = await startEndcap({ roles: ['all'], dataDir })
      await poll('searches to be answered again', PATIENCE_MS, async () =>
        load.searches() > searchesBefore ? true : undefined,
      )
    }

    expect(kills).toBe(KILLS)
    await pause(LONGEST_RUN_MS)
    const ledger = await load.stop()
    expect(await server.stop()).toBe(0)
    expect(await processesOn(dir)).toEqual([])

    const told = await runEndcap(['verify', '--json', '--data-dir', dataDir])
    expect(JSON.parse(told.stdout)).toMatchObject({ ok: true })
    expect(told.code).toBe(0)
    const discrepancies = await withPorts({ dataDir }, ['clickhouse', 'postgres'], ({ ports }) =>
      compareAccounts(ports, [ledger]),
    )
    expect(discrepancies).toEqual(NO_DISCREPANCIES)
    // Without load a kill proves little.
    expect(ledger.acceptedAuctions.size).toBeGreaterThan(10 * KILLS_UNDER_LOAD)
    expect(ledger.acceptedEvents.size).toBeGreaterThan(10 * KILLS_UNDER_LOAD)
    expect(ledger.tracked).toBeGreaterThan(10 * KILLS_UNDER_LOAD)
    expect(ledger.acceptedOrders.size).toBeGreaterThan(KILLS_UNDER_LOAD)
    expect(await processesOn(dir)).toEqual([])
  }, 900_000)
})

function fail(sentence: string): never {
  throw new Error(sentence)
}
