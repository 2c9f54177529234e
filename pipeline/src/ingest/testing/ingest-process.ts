// Ingests one log into one data directory until everything is stored, then ends: `logDir clickhousePath`. Writes a line before and
// after each insert, so that a test can kill it there.
import { writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type ClickHouse, createClickHouse } from '@endcap/platform/clickhouse'
import { createLogger } from '@endcap/platform/logging'
import { Registry } from 'prom-client'
import { createIngest, isIngested } from '../index.js'
import { openTestLog } from './events.js'

const [logDir = '', path = ''] = process.argv.slice(2)
const logger = createLogger({ level: 'error', service: 'ingest-test' })
const log = openTestLog(logDir)
const engine = await createClickHouse({ path }, { logger })
const clickhouse: ClickHouse = {
  ...engine,
  async insertEncoded(table, lines, options) {
    writeSync(1, `inserting ${table.name}\n`)
    await engine.insertEncoded(table, lines, options)
    writeSync(1, `inserted ${table.name}\n`)
  },
}
const ingest = createIngest({
  log,
  clickhouse,
  clock: Date.now,
  logger,
  registry: new Registry(),
  maxRangeRecords: 700,
  lingerMs: 5,
})
await ingest.start()
while (!(await isIngested(log))) await delay(10)
await ingest.stop()
await log.close()
await engine.close()
writeSync(1, 'done\n')
