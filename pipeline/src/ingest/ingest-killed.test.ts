import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { INTERACTION_TYPES, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { createClickHouse } from '@endcap/platform/clickhouse'
import { silentLogger } from '@endcap/platform/logging'
import {
  auctionReads,
  auctionSlotCounts,
  chargeReads,
  interactionReads,
  orderLineReads,
  performanceDayTotals,
  performanceMinuteTotals,
} from '@endcap/storage/clickhouse'
import { startTestClickHouse } from '@endcap/storage/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listDeadLetters } from '../dead-letters/index.js'
import { auctionOf, chargeOf, interactionOf, openTestLog, orderOf, recordOf } from './testing/events.js'

/** When a process dies: so long after so many lines of its output, which come before and after each insert. */
interface Death {
  readonly lines: number
  readonly afterMs: number
}

const entry = fileURLToPath(new URL('./testing/ingest-process.ts', import.meta.url))

/** Runs ingest in a process until it dies by SIGKILL, or everything is stored. True when it came to its end. */
async function run(logDir: string, path: string, death?: Death): Promise<boolean> {
  const child = spawn(process.execPath, ['--import', 'tsx', entry, logDir, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let lines = 0
  let done = false
  for await (const line of createInterface({ input: child.stdout })) {
    done ||= line === 'done'
    if (++lines !== death?.lines) continue
    if (death.afterMs === 0) child.kill('SIGKILL')
    else setTimeout(() => child.kill('SIGKILL'), death.afterMs)
  }
  await exited
  return done
}

/** Every process but the last dies. Everything must then be in ClickHouse exactly once. */
async function expectExactlyOnce(deaths: readonly Death[]): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'endcap-ingest-kill-'))
  const logDir = join(root, 'log')
  const log = openTestLog(logDir)
  await log.ensureTopics(TOPIC_SPECS)
  const interactions = Array.from({ length: 9_000 }, (_, n) =>
    recordOf(interactionOf(n, INTERACTION_TYPES[n % 3])),
  )
  // Every ninth comes again, far from its first.
  const again = interactions.filter((_, n) => n % 9 === 0)
  await log.append(TOPICS.interactions, [...interactions, ...again])
  await log.append(
    TOPICS.auctions,
    Array.from({ length: 2_000 }, (_, n) => recordOf(auctionOf(n))),
  )
  await log.append(
    TOPICS.charges,
    Array.from({ length: 3_000 }, (_, n) => recordOf(chargeOf(n))),
  )
  await log.append(TOPICS.orders, [
    ...Array.from({ length: 500 }, (_, n) => recordOf(orderOf(n))),
    { key: 'poison', value: 'poison' },
  ])
  await log.close()

  const { clickhouse: first, path, close } = await startTestClickHouse()
  await first.close()
  for (const death of deaths) expect(await run(logDir, path, death)).toBe(false)
  expect(await run(logDir, path)).toBe(true)

  const clickhouse = await createClickHouse({ path }, { logger: silentLogger() })
  try {
    expect(await clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 9_000, ids: 9_000 }])
    expect(await clickhouse.query(auctionReads.counts, {})).toEqual([{ rows: 2_000, ids: 2_000 }])
    expect(await clickhouse.query(auctionSlotCounts, {})).toEqual([
      { rows: 6_000, distinct: 6_000, events: 2_000 },
    ])
    expect(await clickhouse.query(chargeReads.counts, {})).toEqual([{ rows: 3_000, ids: 3_000 }])
    expect(await clickhouse.query(orderLineReads.counts, {})).toEqual([{ rows: 1_000, ids: 500 }])
    for (const totals of [performanceMinuteTotals, performanceDayTotals]) {
      expect(await clickhouse.query(totals, {})).toMatchObject([
        { impressions: 3_000, viewableImpressions: 3_000, clicks: 3_000, spendMicros: 300_000_000n },
      ])
    }
    const reopened = openTestLog(logDir)
    expect((await listDeadLetters(reopened)).items).toHaveLength(1)
    await reopened.close()
  } finally {
    await clickhouse.close()
    await close()
    await rm(root, { recursive: true, force: true })
  }
}

describe('ingest in a process that is killed has every event in ClickHouse exactly once, in raw tables and rollups', () => {
  it('between inserts and as they begin', async () => {
    // Odd: between "inserting" and "inserted"; even: right after an insert.
    await expectExactlyOnce([1, 4, 7, 2, 9, 3].map((lines) => ({ lines, afterMs: 0 })))
  }, 120_000)

  it('at random moments of inserts', async () => {
    // An insert takes some ten milliseconds for each table that it reaches.
    const death = fc.record({
      lines: fc.nat({ max: 3 }).map((inserts) => 2 * inserts + 1),
      afterMs: fc.nat({ max: 90 }),
    })
    const seed = Number(process.env.ENDCAP_TEST_SEED ?? 20)
    const [deaths] = fc.sample(fc.array(death, { minLength: 8, maxLength: 8 }), { seed, numRuns: 1 })
    await expectExactlyOnce(deaths!)
  }, 180_000)
})
