/**
 * Charges a second that billing settles (verdict, charge, two ledger entries, counters, wallet, outbox, offset), against the same charge and
 * ledger rows inserted by one plain batched transaction a batch. `--quick`: fewer, to see that it runs.
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
import { startTestPostgres } from '@endcap/platform/testing'
import { recordOf, seenAndClicked } from './clicks.js'
import { machine, report, seconds, until } from './report.js'

const CHARGES = process.argv.includes('--quick') ? 2_000 : 40_000
const MERCHANTS = 100
const BATCH = 1_000

const dir = mkdtempSync(join(tmpdir(), 'endcap-bench-'))
const database = await startTestPostgres()
const { postgres } = database
const log = createEmbeddedLog({ dir, clock: systemClock })
await log.ensureTopics(TOPIC_SPECS)
const now = new Date(systemClock())
const merchants = Array.from({ length: MERCHANTS }, (_, index) => `mer_${index}`)
await seedMerchants(
  postgres,
  merchants.map((id) => ({ id, depositMicros: 10_000_000_000n })),
  now,
)
await seedCampaigns(
  postgres,
  merchants.map((merchantId, index) => ({
    id: `cmp_${index}`,
    merchantId,
    budgetTotalMicros: 9_000_000_000n,
  })),
  now,
)
const startMs = systemClock() - 3_600_000
const events = Array.from({ length: CHARGES }, (_, index) =>
  seenAndClicked(index, MERCHANTS, startMs + index),
).flat()
for (let start = 0; start < events.length; start += 10_000) {
  await log.append(TOPICS.interactions, events.slice(start, start + 10_000).map(recordOf))
}

const billing = createBilling({
  log,
  postgres,
  tokenKeys: TOKEN_KEYS,
  clock: systemClock,
  ids: createIdSource(),
  logger: silentLogger(),
  registry: createMetrics({ service: 'bench' }),
})
const billSeconds = await seconds(async () => {
  await billing.start()
  await until(async () => (await chargeCount(postgres)) >= CHARGES, 50)
})
await billing.stop()
const plainSeconds = await insertAgainPlainly(postgres)
report('bill', {
  charges: CHARGES,
  chargesPerSecond: CHARGES / billSeconds,
  plainInsertChargesPerSecond: CHARGES / plainSeconds,
  ratio: plainSeconds / billSeconds,
  ...machine(),
})
await log.close()
await database.stop()
rmSync(dir, { recursive: true, force: true })
process.exit(0)

async function chargeCount(database: Postgres): Promise<number> {
  const { rows } = await database.query<{ count: bigint }>(
    `select count(*) as count from charges where outcome = 'charged'`,
  )
  return Number(rows[0]!.count)
}

/** The same rows, read first, into tables of the same shape and indexes, `BATCH` charges a transaction. */
async function insertAgainPlainly(database: Postgres): Promise<number> {
  await database.query('create table plain_charges (like charges including all)')
  await database.query('create table plain_entries (like ledger_entries including all)')
  await database.query(
    'create table plain_batches as select id, (row_number() over (order by id) - 1) / $1::int as batch from charges',
    [BATCH],
  )
  await database.query('create index on plain_batches (batch)')
  return seconds(async () => {
    for (let batch = 0; batch < CHARGES / BATCH; batch++) {
      await database.transaction(async (tx) => {
        await tx.query(
          'insert into plain_charges select c.* from charges c join plain_batches b on b.id = c.id where b.batch = $1',
          [batch],
        )
        await tx.query(
          `insert into plain_entries (transaction_id, idempotency_key, kind, account_id, amount_micros, currency, reference, occurred_at, created_at)
           select e.transaction_id, e.idempotency_key, e.kind, e.account_id, e.amount_micros, e.currency, e.reference, e.occurred_at, e.created_at
           from ledger_entries e join plain_batches b on b.id = e.transaction_id where b.batch = $1`,
          [batch],
        )
      })
    }
  })
}
