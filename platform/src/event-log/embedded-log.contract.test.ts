import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@endcap/contracts'
import { createEmbeddedLog } from './embedded-log.js'
import { describeEventLog } from './event-log.suite.js'
import { describeExactlyOnce } from './exactly-once.suite.js'
import type { EventLogHarness } from './suite-tools.js'

async function embeddedHarness(): Promise<EventLogHarness> {
  const dir = await mkdtemp(join(tmpdir(), 'endcap-log-'))
  const log = createEmbeddedLog({
    dir: join(dir, 'log'),
    clock: systemClock,
    segmentBytes: 256 * 1024,
    maintainEveryMs: 0,
  })
  let narrow = 0
  return {
    open: () => log,
    openNarrow: async (maxPendingBytes) =>
      createEmbeddedLog({ dir: join(dir, `narrow-${++narrow}`), clock: systemClock, maxPendingBytes }),
    compact: async () => {
      await log.maintain()
      return true
    },
    close: async () => {
      await log.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

describeEventLog('embedded', embeddedHarness)
describeExactlyOnce('embedded', embeddedHarness)
