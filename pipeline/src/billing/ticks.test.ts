import { createIdSource, type InteractionEvent, TOPICS } from '@endcap/contracts'
import { type LogRecord, partitionOf } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { interactionReads, performanceMinuteTotals } from '@endcap/storage/clickhouse'
import { createOutboxRelay } from '@endcap/storage/postgres'
import { afterEach, describe, expect, it } from 'vitest'
import { listDeadLetters } from '../dead-letters/index.js'
import { verify } from '../reconcile/verify.js'
import { impressionAndClick, allBilled as passed } from '../testing/billed.js'
import { type Loop, startLoop } from '../testing/loop.js'
import { interactionOf, seedCampaigns, seedMerchants, slotToken, until } from '../testing/marketplace.js'
import { createBilling } from './billing.js'
import { isTick } from './read-interaction.js'
import { createTicks } from './ticks.js'
import { createWriteTicks, TICK_AFTER_MS } from './write-ticks.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const MINUTE = 60_000
const CLICKED = NOON + 2_000
/** When a click that came alone has waited so long that its partition gets a tick. */
const OVERDUE = CLICKED + 15 * MINUTE + TICK_AFTER_MS
/** Merchants whose interactions go to two partitions. */
const MERCHANTS = [
  'm1',
  ['m2', 'm3', 'm4'].find((id) => partitionOf(id, 4) !== partitionOf('m1', 4))!,
] as const

let nowMs = NOON
const clock = () => nowMs
const started: (() => Promise<void>)[] = []
async function stopAll(): Promise<void> {
  for (const stop of started.splice(0).reverse()) await stop()
}
afterEach(stopAll)

/** Log and stores of their own, in which nothing has happened and nobody is at work. */
async function openLoop(): Promise<Loop> {
  const loop = await startLoop({ clock })
  started.push(() => loop.stop())
  const merchants = MERCHANTS.map((id) => ({ id, depositMicros: 1_000_000_000n }))
  await seedMerchants(loop.postgres, merchants, new Date(NOON))
  const campaigns = MERCHANTS.map((merchantId) => ({ id: `c-${merchantId}`, merchantId }))
  await seedCampaigns(loop.postgres, campaigns, new Date(NOON))
  return loop
}

const pair = (slot: string, merchantId: string = MERCHANTS[0]) =>
  impressionAndClick(slot, { issuedAtMs: NOON, merchantId, campaignId: `c-${merchantId}` })
const clickOn = (slot: string, merchantId?: string): InteractionEvent => pair(slot, merchantId)[1]

const newWriter = (loop: Loop, log = loop.log) =>
  createWriteTicks({ log, postgres: loop.postgres, clock, ids: createIdSource() })
/** One that has seen the log long enough by now. */
async function writeTicksOf(loop: Loop): Promise<() => Promise<number>> {
  const writer = newWriter(loop)
  nowMs -= TICK_AFTER_MS
  expect(await writer()).toBe(0)
  nowMs += TICK_AFTER_MS
  return writer
}

const verdictsOf = async (postgres: Postgres) =>
  (
    await postgres.query<{ id: string; reason: string }>(
      `select interaction_id as id, reason from charges
       union all select interaction_id, 'waits' from waiting_clicks order by id`,
    )
  ).rows.map(({ id, reason }) => [id, reason])

/** All interactions of a log, of each partition in its order. */
async function recordsIn({ log }: Loop): Promise<readonly LogRecord[]> {
  const found: LogRecord[] = []
  for (const { partition, first, end } of await log.ranges(TOPICS.interactions))
    for await (const records of log.read(TOPICS.interactions, partition, first, end)) found.push(...records)
  return found
}
const ticksIn = async (loop: Loop): Promise<number> => (await recordsIn(loop)).filter(isTick).length

/** Runs one part alone until something holds. */
async function alone(
  component: { start(): Promise<void>; stop(): Promise<void> },
  done: () => Promise<unknown>,
): Promise<void> {
  await component.start()
  await done()
  await component.stop()
}
const shared = () => ({
  clock,
  ids: createIdSource(),
  logger: silentLogger(),
  registry: createMetrics({ service: 'test' }),
})
const billAll = (loop: Loop) =>
  alone(createBilling({ ...loop.deps(), ...shared(), lingerMs: 5 }), () => passed(loop.log, loop.postgres))
const relayAll = (loop: Loop) =>
  alone(createOutboxRelay({ ...loop.deps(), ...shared(), metrics: shared().registry }), () =>
    until(
      async () => (await loop.postgres.query('select 1 from outbox limit 1')).rowCount === 0,
      'the outbox is empty',
    ),
  )

describe('ticks', () => {
  it('give a click without an impression its verdict where nothing else comes, and again when the log is replayed', async () => {
    nowMs = NOON
    const loop = await openLoop()
    const [impression, click] = pair('seen')
    await loop.append([clickOn('unseen'), impression, click])
    await loop.start()
    await loop.settled()
    const clicks = async ({ clickhouse }: Loop) =>
      (await clickhouse.query(performanceMinuteTotals, {})).map((row) => [row.clicks, row.invalidClicks])
    expect(await clicks(loop)).toEqual([[2, 0]])

    const writeTicks = await writeTicksOf(loop)
    nowMs = OVERDUE - 1
    expect(await writeTicks()).toBe(0)
    expect(await verify(loop.deps())).toMatchObject({ ok: true })
    nowMs = OVERDUE
    expect(await writeTicks()).toBe(1)
    await loop.settled()
    const verdicts = [
      ['c-seen', ''],
      ['c-unseen', 'no_impression'],
    ]
    expect(await verdictsOf(loop.postgres)).toEqual(verdicts)
    expect(await clicks(loop)).toEqual([[2, 1]])
    expect(await loop.clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 3, ids: 3 }])
    expect((await listDeadLetters(loop.log)).items).toEqual([])
    expect(await verify(loop.deps())).toMatchObject({ ok: true })

    const records = await recordsIn(loop)
    await stopAll()
    const again = await openLoop()
    nowMs += 24 * 60 * MINUTE
    await again.log.append(TOPICS.interactions, records)
    await again.start()
    await again.settled()
    expect(await verdictsOf(again.postgres)).toEqual(verdicts)
    expect(await clicks(again)).toEqual([[2, 1]])
    expect(await verify(again.deps())).toMatchObject({ ok: true })
  })

  it('are written by the job of billing, and not while nothing waits or what waits has time', async () => {
    nowMs = NOON
    const loop = await openLoop()
    await loop.start()
    const registry = createMetrics({ service: 'test' })
    let looked = 0
    const postgres: Postgres = {
      ...loop.postgres,
      async query(text, values) {
        const found = await loop.postgres.query<never>(text, values)
        if (text.includes('waiting_clicks')) looked++
        return found
      },
    }
    const job = createTicks({ ...shared(), ...loop.deps(), postgres, registry, everyMs: 1 })
    nowMs = NOON - TICK_AFTER_MS
    await job.start()
    started.push(() => job.stop())
    const lookedAgain = async () => {
      const before = looked
      await until(async () => looked > before + 2, 'it has looked')
    }
    const written = async () => /endcap_billing_ticks_total\S* (\d+)/.exec(await registry.metrics())?.[1]

    await lookedAgain()
    nowMs = OVERDUE
    await lookedAgain()
    nowMs = NOON
    await loop.append(pair('seen'))
    await loop.append([clickOn('unseen')])
    await loop.settled()
    await lookedAgain()
    expect([await written(), await ticksIn(loop)]).toEqual(['0', 0])
    nowMs = OVERDUE
    await until(
      async () => (await verdictsOf(loop.postgres)).every(([, reason]) => reason !== 'waits'),
      'judged',
    )
    await lookedAgain()
    await loop.settled()
    expect([await written(), await ticksIn(loop)]).toEqual(['1', 1])
    expect(await job.problem?.()).toBeUndefined()
  })

  it('leave a click alone whose impression comes in time, even one that a tick overtakes on its way', async () => {
    nowMs = NOON
    const loop = await openLoop()
    const [early, late] = [pair('early'), pair('late')]
    const at = (event: InteractionEvent, minutes: number) => {
      const instant = new Date(NOON + minutes * MINUTE).toISOString()
      return { ...event, receivedAt: instant }
    }
    await loop.append([early[1], late[1], at(early[0], 14)])
    await billAll(loop)
    nowMs = OVERDUE
    expect(await (await writeTicksOf(loop))()).toBe(1)
    // Kept back somewhere, and still before the tick in the log.
    await loop.append([at(late[0], 14)])
    await loop.start()
    await loop.settled()
    expect(await verdictsOf(loop.postgres)).toEqual([
      ['c-early', ''],
      ['c-late', ''],
    ])
    expect(await ticksIn(loop)).toBe(1)
    expect(await verify(loop.deps())).toMatchObject({ ok: true })
    nowMs += 60 * MINUTE
    expect(await (await writeTicksOf(loop))()).toBe(0)
  })

  it('are one a partition until billing has passed it, however many processes write them', async () => {
    nowMs = NOON
    const loop = await openLoop()
    await loop.append(MERCHANTS.flatMap((id) => [clickOn(`a-${id}`, id), clickOn(`b-${id}`, id)]))
    await billAll(loop)
    nowMs = OVERDUE
    const writers: (() => Promise<number>)[] = []
    for (let n = 0; n < 4; n++) writers.push(await writeTicksOf(loop))
    const many = async () => {
      const counts = await Promise.all(writers.map((write) => write()))
      return counts.reduce((sum, count) => sum + count, 0)
    }
    expect(await many()).toBe(2)
    expect(await many()).toBe(0)
    await relayAll(loop)
    // Billing is behind, and has other records to pass as well.
    await loop.append(
      MERCHANTS.map((id) =>
        interactionOf(
          `v-${id}`,
          'viewable',
          NOON,
          slotToken({ auctionId: `a-${id}`, issuedAtMs: NOON, merchantId: id }),
        ),
      ),
    )
    expect(await many()).toBe(0)
    await loop.start()
    await loop.settled()
    expect((await verdictsOf(loop.postgres)).map(([, reason]) => reason)).toEqual(
      Array(4).fill('no_impression'),
    )
    expect(await many()).toBe(0)
    expect(await ticksIn(loop)).toBe(2)
  })

  it('are written while other records pass that say no time', async () => {
    nowMs = NOON
    const loop = await openLoop()
    await loop.append([clickOn('unseen')])
    await billAll(loop)
    const viewable = slotToken({ auctionId: 'other', issuedAtMs: NOON, campaignId: 'c-m1' })
    await loop.append([interactionOf('viewable', 'viewable', NOON + 20 * MINUTE, viewable)])
    nowMs = OVERDUE
    expect(await (await writeTicksOf(loop))()).toBe(1)
  })

  it('let impressions that an outage of the log kept back come first', async () => {
    nowMs = NOON
    const loop = await openLoop()
    await loop.append([clickOn('unseen')])
    await billAll(loop)
    let away = false
    const log = Object.create(loop.log, {
      ranges: {
        value: async (topic: typeof TOPICS.interactions) => {
          if (away) throw new Error('the log is away')
          return loop.log.ranges(topic)
        },
      },
    }) as Loop['log']
    const writeTicks = newWriter(loop, log)
    expect(await writeTicks()).toBe(0)
    // Away while nothing is overdue yet, and there again just before.
    nowMs = OVERDUE - 10_000
    away = true
    await expect(writeTicks()).rejects.toThrow('away')
    away = false
    nowMs = OVERDUE
    expect(await writeTicks()).toBe(0)
    nowMs = OVERDUE + TICK_AFTER_MS - 1
    expect(await writeTicks()).toBe(0)
    // A process that has just started does not know whether the log was away.
    expect(await newWriter(loop)()).toBe(0)
    nowMs = OVERDUE + TICK_AFTER_MS
    expect(await writeTicks()).toBe(1)
  })
})
