/**
 * Charges a second that billing settles, from the log to the commit: token, verdict, charge, two ledger entries, seen impression, counters,
 * wallet, outbox, offset. Against the same rows of the same tables, inserted into other databases of the same server by one plain
 * transaction a batch: with arrays as the driver writes them (`ratio`), and in the binary format that billing sends
 * (`ratioToBinary`). Rounds of all take turns, after one that warms up. `--quick`: fewer, to see that it runs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdSource, systemClock, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { createBilling } from '@endcap/pipeline'
import { seedCampaigns, seedMerchants, TOKEN_KEYS } from '@endcap/pipeline/testing'
import { createEmbeddedLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { startPostgresServer, startTestPostgres } from '@endcap/storage/testing'
import { type Format, insertPlainly, rowsSince } from './bill/plain-insert.js'
import { recordOf, seenAndClicked } from './clicks.js'
import { machine, median, report, seconds, until } from './report.js'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 2 : 7
const CHARGES_A_ROUND = quick ? 500 : 8_000
const MERCHANTS = 100
/** Charges a transaction of the plain inserts: as many as billing's batches hold. */
const PLAIN_BATCH = 2_000

const dir = mkdtempSync(join(tmpdir(), 'endcap-bench-'))
const server = await startPostgresServer({ durable: true })
const billed = await startTestPostgres(server.url)
const driver = await startTestPostgres(server.url)
const binary = await startTestPostgres(server.url)
const log = createEmbeddedLog({ dir, clock: systemClock, partitions: 1 })
await log.ensureTopics(TOPIC_SPECS)
await seed(billed.postgres)
await seed(driver.postgres)
await seed(binary.postgres)

const startMs = systemClock() - 3_600_000
const registry = createMetrics({ service: 'bench' })
const rounds: { readonly billing: number; readonly driver: number; readonly binary: number }[] = []
for (let round = 0; round <= ROUNDS; round++) {
  await appendRound(round)
  const billing = await billRound()
  const rows = await rowsSince(billed.postgres, round * CHARGES_A_ROUND)
  const plainly = (postgres: Postgres, format: Format) =>
    seconds(() => insertPlainly(postgres, rows, PLAIN_BATCH, format))
  const taken = {
    billing,
    driver: await plainly(driver.postgres, 'driver'),
    binary: await plainly(binary.postgres, 'binary'),
  }
  if (round > 0) rounds.push(taken)
}

const ratios = rounds.map((round) => round.driver / round.billing)
report('bill', {
  charges: ROUNDS * CHARGES_A_ROUND,
  rounds: ROUNDS,
  chargesPerSecond: CHARGES_A_ROUND / median(rounds.map((round) => round.billing)),
  plainInsertChargesPerSecond: CHARGES_A_ROUND / median(rounds.map((round) => round.driver)),
  ratio: median(ratios),
  ratioLeast: Math.min(...ratios),
  ratioMost: Math.max(...ratios),
  binaryInsertChargesPerSecond: CHARGES_A_ROUND / median(rounds.map((round) => round.binary)),
  ratioToBinary: median(rounds.map((round) => round.binary / round.billing)),
  ...machine(),
})
await log.close()
await billed.stop()
await driver.stop()
await binary.stop()
await server.stop()
rmSync(dir, { recursive: true, force: true })
process.exit(0)

async function seed(postgres: Postgres): Promise<void> {
  const now = new Date(systemClock())
  const merchants = Array.from({ length: MERCHANTS }, (_, index) => `mer_${index}`)
  await seedMerchants(
    postgres,
    merchants.map((id) => ({ id, depositMicros: 10_000_000_000n })),
    now,
  )
  const campaigns = merchants.map((merchantId, index) => ({
    id: `cmp_${index}`,
    merchantId,
    budgetTotalMicros: 9_000_000_000n,
  }))
  await seedCampaigns(postgres, campaigns, now)
}

async function appendRound(round: number): Promise<void> {
  const records = Array.from({ length: CHARGES_A_ROUND }, (_, index) =>
    seenAndClicked(index, MERCHANTS, startMs + round * CHARGES_A_ROUND + index),
  )
    .flat()
    .map(recordOf)
  for (let start = 0; start < records.length; start += 10_000) {
    await log.append(TOPICS.interactions, records.slice(start, start + 10_000))
  }
}

/** Seconds from the start of a billing consumer to the commit of the last record of the log. */
async function billRound(): Promise<number> {
  const { postgres } = billed
  const [range] = await log.ranges(TOPICS.interactions)
  const billing = createBilling({
    log,
    postgres,
    tokenKeys: TOKEN_KEYS,
    clock: systemClock,
    ids: createIdSource(),
    logger: silentLogger(),
    registry,
  })
  const took = await seconds(async () => {
    await billing.start()
    await until(async () => {
      const { rows } = await postgres.query<{ next: bigint }>(
        'select next_offset as next from consumer_offsets',
      )
      return rows[0]?.next === range!.end
    }, 20)
  })
  await billing.stop()
  return took
}
