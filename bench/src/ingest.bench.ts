/**
 * Log → ClickHouse: rows a second that ingest stores (read, checked, duplicates looked up, rollups fed), against a raw
 * JSONCompactEachRow insert of the same rows into the same tables in batches of the same size. Both are warmed up and take turns.
 * `--quick`: smaller and shorter, to see that it runs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdSource, type InteractionEvent, systemClock, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { createIngest, isIngested } from '@endcap/pipeline'
import { type ClickHouse, createClickHouse } from '@endcap/platform/clickhouse'
import { createEmbeddedLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { interactionReads, interactionsTable, migrateClickHouse } from '@endcap/storage/clickhouse'
import { recordOf, seenAndClicked } from './clicks.js'
import { machine, median, report, seconds, until } from './report.js'

const quick = process.argv.includes('--quick')
const ROWS = quick ? 10_000 : 100_000
const ROUNDS = quick ? 1 : 3
const BATCH = 10_000

const ids = createIdSource()
const logger = silentLogger()
const dir = mkdtempSync(join(tmpdir(), 'endcap-bench-'))
const clickhouse = await createClickHouse({ path: join(dir, 'clickhouse') }, { logger })
await migrateClickHouse(clickhouse)

const rounds: { raw: number; ingest: number }[] = []
// The first round warms up.
for (let round = 0; round <= ROUNDS; round++) {
  const events = drawEvents()
  const raw = await insertRaw(clickhouse, events, `raw-${round}`)
  await clickhouse.command(`truncate table ${interactionsTable.name}`)
  const ingest = await ingestFromLog(clickhouse, events, join(dir, `log-${round}`))
  await clickhouse.command(`truncate table ${interactionsTable.name}`)
  if (round > 0) rounds.push({ raw, ingest })
}
const ratios = rounds.map(({ raw, ingest }) => raw / ingest).sort((a, b) => a - b)
report('ingest', {
  rows: ROWS,
  rounds: ROUNDS,
  rowsPerSecond: ROWS / median(rounds.map(({ ingest }) => ingest)),
  rawInsertRowsPerSecond: ROWS / median(rounds.map(({ raw }) => raw)),
  ratio: median(ratios),
  ratioLeast: ratios[0],
  ratioMost: ratios.at(-1),
  target: '>= 0.5',
  ...machine(),
})
await clickhouse.close()
rmSync(dir, { recursive: true, force: true })
process.exit(0)

/** New ids each time: what was stored before is a duplicate for ever. */
function drawEvents(): InteractionEvent[] {
  const startMs = systemClock() - 3_600_000
  return Array.from({ length: ROWS / 2 }, (_, index) => seenAndClicked(index, 200, startMs + index)).flat()
}

async function insertRaw(
  target: ClickHouse,
  events: readonly InteractionEvent[],
  name: string,
): Promise<number> {
  return seconds(async () => {
    for (let start = 0; start < ROWS; start += BATCH) {
      const batch = `${name}-${start}`
      await target.insert(
        interactionsTable,
        events.slice(start, start + BATCH).map((event) => ({ event, batch })),
        { token: batch },
      )
    }
  })
}

async function ingestFromLog(
  target: ClickHouse,
  events: readonly InteractionEvent[],
  logDir: string,
): Promise<number> {
  const log = createEmbeddedLog({ dir: logDir, clock: systemClock })
  await log.ensureTopics(TOPIC_SPECS)
  for (let start = 0; start < ROWS; start += BATCH) {
    await log.append(TOPICS.interactions, events.slice(start, start + BATCH).map(recordOf))
  }
  // Offsets of a fresh log begin at 0 again: the tokens of an earlier round must not be taken for this one's.
  const salt = ids('event')
  const salted: ClickHouse = {
    ...target,
    insertEncoded: (table, lines, { token }) =>
      target.insertEncoded(table, lines, { token: `${salt}/${token}` }),
  }
  const ingest = createIngest({
    log,
    clickhouse: salted,
    clock: systemClock,
    logger,
    registry: createMetrics({ service: 'bench' }),
    maxRangeRecords: BATCH,
    // Everything is in the log already; only the last range of a partition would wait to be filled.
    lingerMs: 10,
  })
  const took = await seconds(async () => {
    await ingest.start()
    await until(() => isIngested(log))
  })
  await ingest.stop()
  await log.close()
  const [counts] = await target.query(interactionReads.counts, {})
  if (counts?.rows !== ROWS || counts.ids !== ROWS)
    throw new Error(`stored ${counts?.rows} rows, ${counts?.ids} ids, not ${ROWS}`)
  return took
}
