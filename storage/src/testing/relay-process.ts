// Relays the outbox of the database `url` into the embedded log in `dir`. It prints a line per append and stops for ever after `stopAfter` of them.
import { TOPIC_SPECS } from '@endcap/contracts'
import { createEmbeddedLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { connectPostgres } from '@endcap/platform/postgres'
import { createOutboxRelay } from '../postgres/outbox-relay.js'

const [url = '', dir = '', stopAfter] = process.argv.slice(2)
const logger = silentLogger()
const log = createEmbeddedLog({ dir, clock: Date.now })
let appends = 0
const watched: typeof log = {
  ...log,
  async append(...call) {
    const result = await log.append(...call)
    console.log('appended')
    if (++appends === Number(stopAfter)) await new Promise(() => {})
    return result
  },
}
await log.ensureTopics(TOPIC_SPECS)
const relay = createOutboxRelay({
  postgres: connectPostgres({ url, applicationName: 'relay', logger }),
  log: watched,
  clock: Date.now,
  logger,
  metrics: createMetrics({ service: 'test' }),
  pollMs: 5,
})
await relay.start()
