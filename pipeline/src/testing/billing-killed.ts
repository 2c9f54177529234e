import { createIdSource } from '@endcap/contracts'
import { createEmbeddedLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { connectPostgres, type Postgres } from '@endcap/platform/postgres'
import { createBilling } from '../billing/index.js'
import { TOKEN_KEYS } from './marketplace.js'

/**
 * A process that bills a log and dies by SIGKILL: `before` or `after` the commit of its transaction number `at`.
 * Arguments: database URL, log directory, before|after, number, the clock's instant.
 */
const [url, dir, when, at, nowMs] = process.argv.slice(2) as [string, string, string, string, string]
const clock = () => Number(nowMs)
const postgres = connectPostgres({ url, applicationName: 'billing to be killed', logger: silentLogger() })
const die = () => process.kill(process.pid, 'SIGKILL')

let transactions = 0
const deadly: Postgres = {
  ...postgres,
  async transaction(work, options) {
    const last = ++transactions === Number(at)
    const result = await postgres.transaction(async (tx) => {
      const done = await work(tx)
      if (last && when === 'before') die()
      return done
    }, options)
    if (last) die()
    return result
  },
}
const log = createEmbeddedLog({ dir, clock })
await createBilling({
  log,
  postgres: deadly,
  tokenKeys: TOKEN_KEYS,
  clock,
  ids: createIdSource(),
  logger: silentLogger(),
  registry: createMetrics({ service: 'test' }),
  maxBatchRecords: 20,
  lingerMs: 1,
}).start()
