import { createIdSource } from '@endcap/contracts'
import { createKafkaLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { connectPostgres, type Postgres } from '@endcap/platform/postgres'
import { createBilling } from '../billing/index.js'
import { TOKEN_KEYS } from './marketplace.js'

/**
 * A process that bills from Kafka and stands still (SIGSTOP) when it is about to begin its transaction number `at`. Woken (SIGCONT), it goes
 * on with it as if nothing had happened, and prints how that transaction ended.
 * Arguments: database URL, brokers, number, the clock's instant.
 */
const [url, brokers, at, nowMs] = process.argv.slice(2) as [string, string, string, string]
const clock = () => Number(nowMs)
const postgres = connectPostgres({ url, applicationName: 'zombie billing', logger: silentLogger() })

let transactions = 0
const pausing: Postgres = {
  ...postgres,
  async transaction(work, options) {
    if (++transactions !== Number(at)) return postgres.transaction(work, options)
    process.kill(process.pid, 'SIGSTOP')
    try {
      const result = await postgres.transaction(work, options)
      process.stdout.write('committed\n')
      return result
    } catch (error) {
      process.stdout.write(`${error instanceof Error ? error.name : String(error)}\n`)
      throw error
    }
  },
}
await createBilling({
  log: createKafkaLog({
    brokers: brokers.split(','),
    clientId: 'zombie',
    sessionTimeoutMs: 6_000,
    logger: silentLogger(),
  }),
  postgres: pausing,
  tokenKeys: TOKEN_KEYS,
  clock,
  ids: createIdSource(),
  logger: silentLogger(),
  registry: createMetrics({ service: 'test' }),
  maxBatchRecords: 20,
  lingerMs: 1,
}).start()
