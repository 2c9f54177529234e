import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  createIdSource,
  createTokenSealer,
  type InteractionEvent,
  type SlotToken,
  TOPIC_SPECS,
  TOPICS,
} from '@endcap/contracts'
import { createEmbeddedLog, type EventLog, type LogRecord } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { StaleOffsetError } from '@endcap/storage/postgres'
import { startTestPostgres, type TestPostgres } from '@endcap/storage/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  batchOf,
  expectBooksToAgree as booksAgree,
  allBilled as passed,
  recordsOf,
  impressionAndClick as sold,
  balanceOf as walletOf,
} from '../testing/billed.js'
import {
  type CampaignSeed,
  deposit,
  interactionOf,
  recordOf,
  seedCampaigns,
  seedMerchants,
  slotToken,
  TOKEN_KEYS,
  tickOf,
} from '../testing/marketplace.js'
import { createBillRecords } from './bill-records.js'
import { createBilling } from './billing.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const NOW = new Date(NOON)
const clock = () => NOON + 60_000

let database: TestPostgres
let postgres: Postgres
let log: EventLog
let dir: string

beforeEach(async () => {
  database = await startTestPostgres()
  postgres = database.postgres
  dir = await mkdtemp(join(tmpdir(), 'endcap-billing-'))
  log = await createEmbeddedLog({ dir, clock })
  await log.ensureTopics(TOPIC_SPECS)
})
afterEach(async () => {
  await log.close()
  await database.stop()
  await rm(dir, { recursive: true, force: true })
})

const seed = async (campaigns: readonly CampaignSeed[], depositMicros = 1_000_000_000n) => {
  const merchants = [...new Set(campaigns.map(({ merchantId }) => merchantId))]
  await seedMerchants(
    postgres,
    merchants.map((id) => ({ id, depositMicros })),
    NOW,
  )
  await seedCampaigns(postgres, campaigns, NOW)
}

const deps = (use: Postgres = postgres) => ({
  log,
  postgres: use,
  tokenKeys: TOKEN_KEYS,
  clock,
  ids: createIdSource(),
})
const billing = (use?: Postgres) =>
  createBilling({
    ...deps(use),
    logger: silentLogger(),
    registry: createMetrics({ service: 'test' }),
    lingerMs: 5,
  })

const impressionAndClick = (slot: string, parts: Partial<SlotToken> = {}) =>
  sold(slot, { issuedAtMs: NOON, ...parts })
const append = (events: readonly InteractionEvent[]) => log.append(TOPICS.interactions, events.map(recordOf))
const allBilled = () => passed(log, postgres)

interface Charge {
  readonly id: string
  readonly outcome: string
  readonly reason: string
  readonly amount: bigint
}
const charges = async () =>
  (
    await postgres.query<Charge>(
      'select interaction_id as id, outcome, reason, amount_micros as amount from charges order by interaction_id',
    )
  ).rows
const chargedMicros = async () => (await charges()).reduce((total, { amount }) => total + amount, 0n)
const balanceOf = (merchantId: string) => walletOf(postgres, merchantId)
const expectBooksToAgree = () => booksAgree(postgres)

/** A database whose connection breaks when it should commit. */
const breakingBeforeCommit = (times: number): Postgres => ({
  ...postgres,
  query: (text, values) => postgres.query(text, values),
  transaction: (work, options) =>
    postgres.transaction(async (tx) => {
      const result = await work(tx)
      if (times-- > 0) throw new Error('the connection broke before the commit')
      return result
    }, options),
})

/** Starts a process that bills the log and kills itself; gives the signal that ended it. */
async function runUntilKilled(when: 'before' | 'after', transaction: number): Promise<NodeJS.Signals | null> {
  const entry = fileURLToPath(new URL('../testing/billing-killed.ts', import.meta.url))
  const args = ['--import', 'tsx', entry, database.url, dir, when, String(transaction), String(clock())]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return signal
}

describe('billing', () => {
  it('bills a click from the log: charge, ledger, counters, wallet and event agree', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    await append(impressionAndClick('a1'))
    const component = billing()
    await component.start()
    await allBilled()
    await component.stop()
    expect(await charges()).toEqual([{ id: 'c-a1', outcome: 'charged', reason: '', amount: 250_000n }])
    expect(await balanceOf('m1')).toBe(999_750_000n)
    const { rows } = await postgres.query<{ topic: string; key: string; value: string }>(
      'select topic, key, value from outbox',
    )
    expect(rows).toHaveLength(2)
    expect(rows[0]).toMatchObject({ topic: TOPICS.charges, key: 'm1' })
    expect(JSON.parse(rows[0]!.value)).toMatchObject({
      type: 'charge',
      occurredAt: '2026-03-10T12:00:02.000Z',
      data: { interactionId: 'c-a1', amountMicros: '250000', outcome: 'charged', searchTerm: 'shoes' },
    })
    expect(JSON.parse(rows[1]!.value)).toMatchObject({
      type: 'verdicts',
      data: {
        campaigns: [
          { merchantId: 'm1', campaignId: 'c1', interactions: [['i-a1', 'impression', NOON + 1000]] },
        ],
      },
    })
    await expectBooksToAgree()
  })

  it('bills a click once, though the process died between decision and commit', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const records = recordsOf(impressionAndClick('a1'))
    await expect(createBillRecords(deps(breakingBeforeCommit(1)))(batchOf(records))).rejects.toThrow('broke')
    expect(await charges()).toEqual([])
    expect((await postgres.query('select 1 from consumer_offsets')).rowCount).toBe(0)
    await createBillRecords(deps())(batchOf(records))
    await createBillRecords(deps())(batchOf(records))
    expect(await chargedMicros()).toBe(250_000n)
    await expectBooksToAgree()
  })

  it('goes on after failed commits without anybody touching it', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    await append(Array.from({ length: 30 }, (_, index) => impressionAndClick(`a${index}`)).flat())
    const component = billing(breakingBeforeCommit(2))
    await component.start()
    await allBilled()
    await component.stop()
    expect(await chargedMicros()).toBe(30n * 250_000n)
    expect(await component.problem?.()).toBeUndefined()
    await expectBooksToAgree()
  })

  it('bills each click once, though its process is killed again and again before and after commits', async () => {
    await seed([{ id: 'c1', merchantId: 'm1', budgetTotalMicros: 137n * 250_000n }])
    await append(Array.from({ length: 150 }, (_, index) => impressionAndClick(`a${index}`)).flat())
    await log.close()
    for (const [when, at] of [
      ['before', 1],
      ['after', 2],
      ['before', 3],
      ['before', 2],
      ['after', 1],
    ] as const) {
      expect(await runUntilKilled(when, at)).toBe('SIGKILL')
      await expectBooksToAgree()
    }
    log = createEmbeddedLog({ dir, clock })
    const component = billing()
    await component.start()
    await allBilled()
    await component.stop()
    const verdicts = await charges()
    expect(verdicts).toHaveLength(150)
    expect(verdicts.filter(({ outcome }) => outcome === 'charged')).toHaveLength(137)
    await expectBooksToAgree()
  })

  it('lets one of two consumers on one partition write, and the other nothing', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const records = recordsOf(
      Array.from({ length: 50 }, (_, index) => impressionAndClick(`a${index}`)).flat(),
    )
    const workers = Array.from({ length: 4 }, () => createBillRecords(deps()))
    await Promise.all(workers.map((bill) => bill(batchOf(records))))
    expect(await charges()).toHaveLength(50)
    expect(await chargedMicros()).toBe(50n * 250_000n)
    await expectBooksToAgree()
  })

  it('lets a zombie write nothing: it was overtaken while it was about to write, after a rebalance', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const records = recordsOf(
      Array.from({ length: 20 }, (_, index) => impressionAndClick(`a${index}`)).flat(),
    )
    let stands = () => {}
    let goOn = () => {}
    const stopped = new Promise<void>((resolve) => {
      stands = resolve
    })
    const told = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let errors: unknown[] = []
    // Stands still between reading its offset and its transaction, as a process does in a long pause.
    const zombie: Postgres = {
      ...postgres,
      query: (text, values) => postgres.query(text, values),
      transaction: async (work, options) => {
        stands()
        await told
        return postgres.transaction(work, options).catch((error: unknown) => {
          errors = [...errors, error]
          throw error
        })
      },
    }
    let overtaken = false
    const late = createBillRecords(deps(zombie))({ ...batchOf(records), isStale: () => overtaken })
    await stopped
    await createBillRecords(deps())(batchOf(records.slice(0, 10)))
    overtaken = true
    goOn()
    expect(await late).toEqual([])
    expect(errors).toEqual([expect.any(StaleOffsetError)])
    expect((await charges()).map(({ id }) => id)).toEqual(['c-a0', 'c-a1', 'c-a2', 'c-a3', 'c-a4'])
    const { rows } = await postgres.query('select next_offset as next from consumer_offsets')
    expect(rows).toEqual([{ next: 10n }])
    await expectBooksToAgree()
  })

  it('gives up, with nothing written, when its offset is moved under its feet', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const bill = createBillRecords(deps())
    await bill(batchOf(recordsOf(impressionAndClick('a1'))))
    const moved: Postgres = {
      ...postgres,
      query: (text, values) => postgres.query(text, values),
      transaction: async (work) => {
        await postgres.query('update consumer_offsets set next_offset = next_offset + 1')
        return postgres.transaction(work)
      },
    }
    const many = Array.from({ length: 30 }, (_, index) => impressionAndClick(`b${index}`)).flat()
    await expect(createBillRecords(deps(moved))(batchOf(recordsOf(many, 2)))).rejects.toBeInstanceOf(
      StaleOffsetError,
    )
    expect(await charges()).toHaveLength(1)
    await expectBooksToAgree()
  })

  it('bills what lies between a restored database and the batch at hand', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const events = Array.from({ length: 20 }, (_, index) => impressionAndClick(`a${index}`)).flat()
    await append(events)
    const { partition } = (await log.ranges(TOPICS.interactions)).find(({ end }) => end > 0n)!
    const bill = createBillRecords(deps())
    const read = async (from: bigint, to: bigint) => {
      const records: LogRecord[] = []
      for await (const some of log.read(TOPICS.interactions, partition, from, to)) records.push(...some)
      return { ...batchOf(records), partition }
    }
    await bill(await read(0n, 10n))
    await bill(await read(30n, 40n))
    expect(await charges()).toHaveLength(20)
    await expectBooksToAgree()
  })

  it('says what the log no longer held when billing came to it, and goes on', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const records = recordsOf(['a', 'b', 'c', 'd'].flatMap((slot) => impressionAndClick(slot)))
    const lost: unknown[] = []
    const from = (first: bigint): EventLog => ({
      ...log,
      async *read(_topic, _partition, start, end) {
        yield records.filter(({ offset }) => offset >= first && offset >= start && offset < end!)
      },
    })
    const billFrom = (first: bigint) =>
      createBillRecords({ ...deps(), log: from(first), onLost: (range) => void lost.push(range) })
    await billFrom(0n)(batchOf(records.slice(0, 2)))
    await billFrom(0n)(batchOf(records.slice(3, 4)))
    expect(lost).toEqual([])
    await billFrom(5n)(batchOf(records.slice(6)))
    expect(lost).toEqual([{ partition: 0, from: 4n, to: 5n }])
    expect((await charges()).filter(({ outcome }) => outcome === 'charged').map(({ id }) => id)).toEqual([
      'c-a',
      'c-b',
      'c-d',
    ])
  })

  it('makes 137 charges of 1,000 clicks on a budget that pays for exactly 137', async () => {
    await seed([{ id: 'c1', merchantId: 'm1', budgetTotalMicros: 137n * 250_000n }])
    await append(Array.from({ length: 1000 }, (_, index) => impressionAndClick(`a${index}`)).flat())
    const component = billing()
    await component.start()
    await allBilled()
    await component.stop()
    const verdicts = await charges()
    expect(verdicts.filter(({ outcome }) => outcome === 'charged')).toHaveLength(137)
    expect(verdicts.filter(({ reason }) => reason === 'over_budget_total')).toHaveLength(863)
    await expectBooksToAgree()
  })

  it('charges the same click sent 50 times once: as one event, and as 50 events', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const [impression, click] = impressionAndClick('a1') as [InteractionEvent, InteractionEvent]
    await append([impression, ...Array.from({ length: 50 }, () => click)])
    await append(Array.from({ length: 50 }, (_, index) => ({ ...click, id: `other-${index}` })))
    const component = billing()
    await component.start()
    await allBilled()
    await component.stop()
    const verdicts = await charges()
    expect(verdicts.filter(({ outcome }) => outcome === 'charged')).toHaveLength(1)
    expect(verdicts.filter(({ reason }) => reason === 'repeat')).toHaveLength(50)
    expect(verdicts).toHaveLength(51)
    await expectBooksToAgree()
  })

  it('charges one click of an impression, whether the batch ends before, between or after impression and clicks', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const bill = createBillRecords(deps())
    let next = 0
    for (const [index, cut] of [1, 2, 3].entries()) {
      const [impression, click] = impressionAndClick(`a${index}`) as [InteractionEvent, InteractionEvent]
      const events = [impression, click, { ...click, id: `second-${index}` }]
      for (const part of [events.slice(0, cut), events.slice(cut)]) {
        if (part.length > 0) await bill(batchOf(recordsOf(part, next)))
        next += part.length
      }
    }
    const verdicts = await charges()
    expect(verdicts.filter(({ outcome }) => outcome === 'charged').map(({ id }) => id)).toEqual([
      'c-a0',
      'c-a1',
      'c-a2',
    ])
    expect(verdicts.filter(({ reason }) => reason === 'repeat')).toHaveLength(3)
    await expectBooksToAgree()
  })

  it('never takes a wallet below zero and spends all of it, with 20 campaigns racing and deposits coming in', async () => {
    const campaigns = Array.from({ length: 20 }, (_, index) => ({ id: `c${index}`, merchantId: 'm1' }))
    await seed(campaigns, 100n * 250_000n)
    // The campaigns' records lie in four partitions, as after a change of keys: only the wallet's lock keeps them apart.
    const partitions = Array.from({ length: 4 }, (_, partition) => ({
      ...batchOf(
        recordsOf(
          Array.from({ length: 100 }, (_, index) =>
            impressionAndClick(`p${partition}-${index}`, { campaignId: `c${(index + partition * 5) % 20}` }),
          ).flat(),
        ),
      ),
      partition,
    }))
    await Promise.all([
      ...partitions.map((batch) => createBillRecords(deps())(batch)),
      ...Array.from({ length: 5 }, () => deposit(postgres, [{ id: 'm1', depositMicros: 250_000n }], NOW)),
    ])
    const charged = (await charges()).filter(({ outcome }) => outcome === 'charged').length
    // A deposit that comes after the last partition has been billed stays in the wallet.
    expect(charged).toBeGreaterThanOrEqual(100)
    expect(BigInt(charged) * 250_000n + (await balanceOf('m1'))).toBe(105n * 250_000n)
    await expectBooksToAgree()
  })

  it('keeps the wallet exact across batches of one partition until it is spent', async () => {
    await seed(
      Array.from({ length: 20 }, (_, index) => ({ id: `c${index}`, merchantId: 'm1' })),
      10n * 250_000n + 1n,
    )
    const bill = createBillRecords(deps())
    for (let start = 0; start < 40; start += 2) {
      await bill(batchOf(recordsOf(impressionAndClick(`a${start}`, { campaignId: `c${start / 2}` }), start)))
    }
    const verdicts = await charges()
    expect(verdicts.filter(({ outcome }) => outcome === 'charged')).toHaveLength(10)
    expect(verdicts.filter(({ reason }) => reason === 'over_wallet')).toHaveLength(10)
    expect(await balanceOf('m1')).toBe(1n)
  })

  it('lets no limit of week or month be passed, by batches of any size, of campaigns that race for them', async () => {
    await seed([
      { id: 'c1', merchantId: 'm1', budgetWeeklyMicros: 30n * 250_000n + 249_999n },
      { id: 'c2', merchantId: 'm1', budgetMonthlyMicros: 40n * 250_000n, budgetDailyMicros: 45n * 250_000n },
    ])
    const partitions = [1, 2, 3, 4].map((partition) => ({
      ...batchOf(
        recordsOf(
          Array.from({ length: 40 }, (_, index) =>
            impressionAndClick(`w${partition}-${index}`, { campaignId: index % 2 ? 'c1' : 'c2' }),
          ).flat(),
        ),
      ),
      partition,
    }))
    await Promise.all(partitions.map((batch) => createBillRecords(deps())(batch)))
    const { rows } = await postgres.query<{ id: string; reason: string; n: bigint }>(
      'select campaign_id as id, reason, count(*) as n from charges group by 1, 2 order by 1, 2',
    )
    expect(rows).toEqual([
      { id: 'c1', reason: '', n: 30n },
      { id: 'c1', reason: 'over_budget_week', n: 50n },
      { id: 'c2', reason: '', n: 40n },
      { id: 'c2', reason: 'over_budget_month', n: 40n },
    ])
    await expectBooksToAgree()
  })

  it('charges a click that came before its impression, batches and processes apart', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const [impression, click] = impressionAndClick('a1') as [InteractionEvent, InteractionEvent]
    await createBillRecords(deps())(batchOf(recordsOf([click, click])))
    expect(await charges()).toEqual([])
    await createBillRecords(deps())(batchOf(recordsOf([click, impression, click], 2)))
    expect(await charges()).toEqual([{ id: 'c-a1', outcome: 'charged', reason: '', amount: 250_000n }])
    expect((await postgres.query('select 1 from waiting_clicks')).rowCount).toBe(0)
    await expectBooksToAgree()
  })

  it('gives one event id one verdict, whatever it is used for again: other slots, other kinds, other partitions', async () => {
    await seed([
      { id: 'c1', merchantId: 'm1' },
      { id: 'c2', merchantId: 'm1', pricing: 'cpm' },
    ])
    const bill = createBillRecords(deps())
    const pair = (slot: string, parts: Partial<SlotToken> = {}) =>
      impressionAndClick(slot, parts) as [InteractionEvent, InteractionEvent]
    const [seenA, clickA] = pair('a')
    const [seenB, clickB] = pair('b')
    const [seenC, clickC] = pair('c')
    const [, clickD] = pair('d')
    const [seenM, clickM] = pair('m', { campaignId: 'c2', pricing: 'cpm', priceMicros: 5_000_000n })
    const named = (id: string, event: InteractionEvent) => ({ ...event, id })
    const offsets = [0, 0]
    const billed = async (partition: number, ...events: InteractionEvent[]) => {
      await bill(batchOf(recordsOf(events, offsets[partition]), partition))
      offsets[partition]! += events.length
    }
    // It waits on a, and is the same click on every other slot: of its partition, of another, while it waits and afterwards.
    await billed(0, named('x', clickA))
    await billed(0, seenB, named('x', clickB), named('x', clickD))
    await billed(1, seenC, named('x', clickC))
    await billed(0, seenA)
    await billed(1, named('x', clickC))
    // What was free counts as well, and other kinds are no other events.
    await billed(0, named(seenB.id, clickB))
    await billed(0, seenM, named('free', clickM))
    await billed(1, named('free', clickC))
    expect(await charges()).toEqual([
      { id: seenM.id, outcome: 'charged', reason: '', amount: 5_000n },
      { id: 'x', outcome: 'charged', reason: '', amount: 250_000n },
    ])
    // An installation in which an earlier version let one id wait and be charged elsewhere goes on.
    await billed(0, named('y', clickD))
    await postgres.query(`update charges set interaction_id = 'y' where interaction_id = 'x'`)
    await billed(0, pair('d')[0])
    expect((await charges()).map(({ id }) => id)).toEqual([seenM.id, 'y'])
    expect((await postgres.query('select 1 from waiting_clicks')).rowCount).toBe(0)
  })

  it('judges a click without an impression once the log has come 15 minutes further', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const bill = createBillRecords(deps())
    const [, click] = impressionAndClick('a1') as [InteractionEvent, InteractionEvent]
    const at = (slot: string, minutes: number) =>
      impressionAndClick(slot, { issuedAtMs: NOON + minutes * 60_000 })[0]!
    await bill(batchOf(recordsOf([click, at('b1', 15)])))
    expect(await charges()).toEqual([])
    await bill(batchOf(recordsOf([at('b2', 16)], 2)))
    expect(await charges()).toEqual([
      { id: 'c-a1', outcome: 'not_charged', reason: 'no_impression', amount: 0n },
    ])
    const impressionAtLast = impressionAndClick('a1')[0]!
    await bill(batchOf(recordsOf([impressionAtLast], 3)))
    expect(await charges()).toHaveLength(1)
    await expectBooksToAgree()
  })

  it('judges a click without an impression by a tick, and changes nothing by another one', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const bill = createBillRecords(deps())
    const [, click] = impressionAndClick('a1') as [InteractionEvent, InteractionEvent]
    const tick = (minutes: number) => tickOf('m1', Date.parse(click.receivedAt) + minutes * 60_000)
    await bill(batchOf(recordsOf([click, tick(14), ...impressionAndClick('b1')])))
    expect((await charges()).map(({ id }) => id)).toEqual(['c-b1'])
    const [billed] = await bill(batchOf(recordsOf([tick(15)], 4)))
    expect(billed).toMatchObject({ records: 1, malformed: 0, verdicts: [{ reason: 'no_impression' }] })
    const verdicts = [
      { id: 'c-a1', outcome: 'not_charged', reason: 'no_impression', amount: 0n },
      { id: 'c-b1', outcome: 'charged', reason: '', amount: 250_000n },
    ]
    expect(await charges()).toEqual(verdicts)
    await bill(batchOf(recordsOf([tick(15), tick(1), impressionAndClick('a1')[0]!, tick(30)], 5)))
    expect(await charges()).toEqual(verdicts)
    await expectBooksToAgree()
  })

  it('bills a log in which clicks come first the same, whatever the batches, and again into empty stores', async () => {
    const campaigns: CampaignSeed[] = [
      { id: 'c1', merchantId: 'm1', budgetTotalMicros: 6n * 250_000n },
      { id: 'c2', merchantId: 'm1', budgetDailyMicros: 6n * 250_000n },
      { id: 'c3', merchantId: 'm1' },
    ]
    await seed(campaigns, 22n * 250_000n - 1n)
    let seedOfOrder = 7
    const random = () => {
      seedOfOrder = (seedOfOrder * 16_807) % 2_147_483_647
      return seedOfOrder / 2_147_483_647
    }
    const events = Array.from({ length: 60 }, (_, index) => {
      const pair = impressionAndClick(`a${index}`, {
        campaignId: `c${1 + (index % 3)}`,
        issuedAtMs: NOON + index * 60_000,
      })
      return pair.map((event) => ({ event, at: index + random() * 30 })).filter(() => random() < 0.9)
    })
      .flat()
      .sort((a, b) => a.at - b.at)
      .map(({ event }) => event)
    const lonely = impressionAndClick('lonely', { issuedAtMs: NOON + 60 * 60_000 })[1]!
    const tick = tickOf('m1', NOON + 40 * 60_000)
    const records = recordsOf([...events.slice(0, 50), tick, ...events.slice(50), lonely])
    const billWith = async (use: Postgres, cut: number) => {
      const bill = createBillRecords({ ...deps(use) })
      for (let start = 0; start < records.length; start += cut)
        await bill(batchOf(records.slice(start, start + cut)))
      const { rows } = await use.query(
        `select interaction_id as id, reason, amount_micros as amount from charges
         union all select interaction_id, 'waiting', 0 from waiting_clicks order by id`,
      )
      return rows
    }
    const whole = await billWith(postgres, 1_000)
    expect(new Set(whole.map((row) => (row as { reason: string }).reason))).toEqual(
      new Set(['', 'no_impression', 'over_budget_day', 'over_budget_total', 'over_wallet', 'waiting']),
    )
    for (const cut of [1, 7]) {
      const other = await startTestPostgres()
      try {
        await seedMerchants(other.postgres, [{ id: 'm1', depositMicros: 22n * 250_000n - 1n }], NOW)
        await seedCampaigns(other.postgres, campaigns, NOW)
        expect(await billWith(other.postgres, cut)).toEqual(whole)
      } finally {
        await other.stop()
      }
    }
  })

  it('does not charge a slot again whose impression was forgotten, when both are delivered days later', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    await createBillRecords(deps())(batchOf(recordsOf(impressionAndClick('a1'))))
    await postgres.query('delete from seen_impressions')
    const daysLater = { ...deps(), clock: () => NOON + 49 * 3_600_000 }
    const again = impressionAndClick('a1').map((event) => ({ ...event, id: `${event.id}-again` }))
    await createBillRecords(daysLater)(batchOf(recordsOf(again, 2)))
    expect((await charges()).map(({ id, reason }) => [id, reason])).toEqual([
      ['c-a1', ''],
      ['c-a1-again', 'repeat'],
    ])
    await expectBooksToAgree()
  })

  it('takes an event at its word for when it happened, as everything that counts it does', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const [impression, click] = impressionAndClick('a1') as [InteractionEvent, InteractionEvent]
    const ahead = { ...click, occurredAt: '2026-03-11T00:02:00Z' }
    await createBillRecords(deps())(batchOf(recordsOf([impression, ahead])))
    const { rows } = await postgres.query<{ day: string; at: Date }>(
      'select budget_day as day, occurred_at as at from charges',
    )
    expect(rows).toEqual([{ day: '2026-03-11', at: new Date(ahead.occurredAt) }])
  })

  it('charges nothing that was suspicious where it came in, and says what made it so', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const [impression, click] = impressionAndClick('a1') as [InteractionEvent, InteractionEvent]
    const suspect = {
      ...click,
      id: 'suspect',
      data: { ...click.data, suspicions: ['data_center' as const, 'customer_rate' as const] },
    }
    await createBillRecords(deps())(batchOf(recordsOf([impression, suspect, click])))
    expect(await charges()).toEqual([
      { id: 'c-a1', outcome: 'charged', reason: '', amount: 250_000n },
      { id: 'suspect', outcome: 'not_charged', reason: 'data_center', amount: 0n },
    ])
  })

  it('makes 1,000 impressions over several batches cost exactly one cpm price', async () => {
    await seed([{ id: 'c1', merchantId: 'm1', pricing: 'cpm' }])
    const bill = createBillRecords(deps())
    const events = Array.from({ length: 1000 }, (_, index) => {
      const token = slotToken({
        auctionId: `a${index}`,
        issuedAtMs: NOON,
        pricing: 'cpm',
        priceMicros: 1_234_567n,
      })
      return interactionOf(`i${index}`, 'impression', NOON + index, token)
    })
    for (let start = 0; start < 1000; start += 93) {
      await bill(batchOf(recordsOf(events.slice(start, start + 93), start)))
    }
    expect(await chargedMicros()).toBe(1_234_567n)
    await expectBooksToAgree()
  })

  it('costs nothing and writes no row for organic slots and other interactions', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const organic = slotToken({
      auctionId: 'a1',
      issuedAtMs: NOON,
      sponsored: false,
      pricing: '',
      priceMicros: 0n,
      campaignId: '',
    })
    const sponsored = slotToken({ auctionId: 'a2', issuedAtMs: NOON })
    await createBillRecords(deps())(
      batchOf(
        recordsOf([
          interactionOf('e1', 'impression', NOON, organic),
          interactionOf('e2', 'click', NOON, organic),
          interactionOf('e3', 'viewable', NOON, sponsored),
          interactionOf('e4', 'add_to_cart', NOON, sponsored),
        ]),
      ),
    )
    expect(await charges()).toEqual([])
  })

  it('never bills what a token does not say: forged prices, unknown keys, records that are no events', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    const stranger = createTokenSealer([{ id: 'k9', secret: Buffer.alloc(32, 9) }])
    const token = slotToken({ auctionId: 'a1', issuedAtMs: NOON })
    const ofStranger = interactionOf('e1', 'click', NOON, token, stranger)
    const ofNobody = interactionOf('e2', 'click', NOON, { ...token, merchantId: 'm9' }, stranger)
    const unstorable = { ...ofStranger, id: 'nul\u0000' }
    const ancient = { ...interactionOf('e3', 'click', NOON, token), occurredAt: '0044-03-15T12:00:00Z' }
    const records = recordsOf([ofStranger, ofNobody, unstorable, ancient])
    const garbage = ['', 'null', '{"id":1}', '[]'].map((value, index) => ({
      ...records[0]!,
      value,
      offset: BigInt(4 + index),
    }))
    const [billed] = await createBillRecords(deps())(batchOf([...records, ...garbage]))
    expect(await charges()).toEqual([
      { id: 'e1', outcome: 'not_charged', reason: 'token_invalid', amount: 0n },
    ])
    expect(billed).toMatchObject({ records: 8, malformed: 6, unplaced: [{ reason: 'token_invalid' }] })
    const kept: LogRecord[] = []
    for await (const some of log.read(TOPICS.deadLetter, 0, 0n)) kept.push(...some)
    expect(kept.map(({ value, headers }) => [value, headers['dead-letter.reason']])).toEqual([
      [records[1]!.value, 'token_invalid'],
    ])
  })
})
