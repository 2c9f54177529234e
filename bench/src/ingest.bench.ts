/**
 * Log → ClickHouse: rows a second that ingest stores, duplicates looked up and rollups fed, against a raw JSONCompactEachRow insert
 * of the same rows into the same tables in batches of the same size.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { createIngest, isIngested } from '@endcap/pipeline'
import {
  createClickHouse,
  interactionReads,
  interactionsTable,
  migrateClickHouse,
} from '@endcap/platform/clickhouse'
import { createEmbeddedLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { recordOf, seenAndClicked } from './clicks.js'
import { machine, report, seconds, until } from './report.js'

const ROWS = Number(process.argv[2] ?? 200_000)
const BATCH = 10_000

const logger = silentLogger()
const dir = mkdtempSync(join(tmpdir(), 'endcap-bench-'))
const clickhouse = await createClickHouse({ path: join(dir, 'clickhouse') }, { logger })
await migrateClickHouse(clickhouse)
const log = createEmbeddedLog({ dir: join(dir, 'log'), clock: systemClock })
await log.ensureTopics(TOPIC_SPECS)

const startMs = systemClock() - 3_600_000
const events = Array.from({ length: ROWS / 2 }, (_, index) =>
  seenAndClicked(index, 200, startMs + index),
).flat()

const rawSeconds = await seconds(async () => {
  for (let start = 0; start < ROWS; start += BATCH) {
    const batch = `raw-${start}`
    await clickhouse.insert(
      interactionsTable,
      events.slice(start, start + BATCH).map((event) => ({ event, batch })),
      { token: batch },
    )
  }
})
await clickhouse.command('truncate table interactions_v1', {})

for (let start = 0; start < ROWS; start += BATCH) {
  await log.append(TOPICS.interactions, events.slice(start, start + BATCH).map(recordOf))
}
const ingest = createIngest({
  log,
  clickhouse,
  clock: systemClock,
  logger,
  registry: createMetrics({ service: 'bench' }),
})
const ingestSeconds = await seconds(async () => {
  await ingest.start()
  await until(() => isIngested(log))
})
await ingest.stop()

const [counts] = await clickhouse.query(interactionReads.counts, {})
if (counts?.rows !== ROWS || counts.ids !== ROWS)
  throw new Error(`stored ${counts?.rows} rows, ${counts?.ids} ids, not ${ROWS}`)
report('ingest', {
  rows: ROWS,
  rowsPerSecond: ROWS / ingestSeconds,
  rawInsertRowsPerSecond: ROWS / rawSeconds,
  ratio: rawSeconds / ingestSeconds,
  target: '>= 0.5',
  ...machine(),
})
await clickhouse.close()
await log.close()
rmSync(dir, { recursive: true, force: true })
process.exit(0)
