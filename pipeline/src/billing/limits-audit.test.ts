import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdSource, type InteractionEvent, TOPIC_SPECS } from '@endcap/contracts'
import { createEmbeddedLog, type EmbeddedLog } from '@endcap/platform/event-log'
import type { Postgres, Transaction } from '@endcap/platform/postgres'
import { postLedger, walletBalances } from '@endcap/storage/postgres'
import { startTestPostgres, type TestPostgres } from '@endcap/storage/testing'
import { DateTime } from 'luxon'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { balanceOf, batchOf, expectBooksToAgree, impressionAndClick, recordsOf } from '../testing/billed.js'
import {
  type CampaignSeed,
  interactionOf,
  seedCampaigns,
  seedMerchants,
  slotToken,
  TOKEN_KEYS,
  until,
} from '../testing/marketplace.js'
import { createBillRecords } from './bill-records.js'

const PRICE = 250_000n
const NOON = Date.parse('2026-03-10T12:00:00Z')

let database: TestPostgres
let postgres: Postgres
let dir: string
let log: EmbeddedLog
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'endcap-limits-'))
  log = createEmbeddedLog({ dir, clock: () => NOON })
  await log.ensureTopics(TOPIC_SPECS)
})
afterAll(async () => {
  await log.close()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  database = await startTestPostgres()
  postgres = database.postgres
})
afterEach(() => database.stop())

async function seed(
  campaigns: readonly CampaignSeed[],
  timeZone = 'UTC',
  depositMicros = 1_000_000_000_000n,
) {
  const merchants = [...new Set(campaigns.map(({ merchantId }) => merchantId))]
  const seeded = new Date('2026-01-01T00:00:00Z')
  await seedMerchants(
    postgres,
    merchants.map((id) => ({ id, timeZone, depositMicros })),
    seeded,
  )
  await seedCampaigns(postgres, campaigns, seeded)
}

const billWith = (use: Postgres, clock = () => NOON + 60_000) =>
  createBillRecords({ log, postgres: use, tokenKeys: TOKEN_KEYS, clock, ids: createIdSource() })

/** Bills events as one partition gives them, so many at a time. */
async function billAll(events: readonly InteractionEvent[], records = 97): Promise<void> {
  const bill = billWith(postgres)
  for (let from = 0; from < events.length; from += records)
    await bill(batchOf(recordsOf(events.slice(from, from + records), from)))
}

const charged = async () =>
  (
    await postgres.query<{ campaign: string; at: Date; amount: bigint }>(
      `select campaign_id as campaign, occurred_at as at, amount_micros as amount from charges where outcome = 'charged'
       order by occurred_at`,
    )
  ).rows

const pairs = (slots: number, campaignId = 'c1', prefix = 'a') =>
  Array.from({ length: slots }, (_, n) =>
    impressionAndClick(`${prefix}${n}`, { issuedAtMs: NOON, campaignId }),
  ).flat()

describe('limits of day, week and month where clocks change', () => {
  // Of 23, 25, 23½, 24½ hours; a day without a midnight; with two hours before midnight; whose Monday and first of the month are such days.
  it.each([
    ['Europe/Berlin', '2026-03-27T00:00Z'],
    ['Europe/Berlin', '2026-10-23T00:00Z'],
    ['Australia/Lord_Howe', '2026-04-03T00:00Z'],
    ['Australia/Lord_Howe', '2026-10-02T00:00Z'],
    ['Africa/Cairo', '2026-04-22T00:00Z'],
    ['Africa/Cairo', '2026-10-28T00:00Z'],
    ['America/Santiago', '2026-04-03T00:00Z'],
    ['Asia/Kathmandu', '2026-05-30T00:00Z'],
    ['Pacific/Apia', '2026-02-27T00:00Z'],
  ])('%s from %s: each period gets exactly its limit', async (timeZone, from) => {
    const limits = { day: 11n * PRICE, week: 30n * PRICE + 1n, month: 40n * PRICE + (PRICE - 1n) }
    await seed(
      [
        { id: 'day', merchantId: 'm1', budgetDailyMicros: limits.day },
        { id: 'week', merchantId: 'm1', budgetWeeklyMicros: limits.week },
        { id: 'month', merchantId: 'm1', budgetMonthlyMicros: limits.month },
      ],
      timeZone,
    )
    const startMs = Date.parse(from)
    const clicks: InteractionEvent[] = []
    const sold = new Map<string, number>()
    const periodOf = (campaign: string, atMs: number) => {
      const local = DateTime.fromMillis(atMs, { zone: timeZone })
      return `${campaign} ${local.startOf(campaign as 'day' | 'week' | 'month').toISODate()}`
    }
    for (let n = 0; n < 6 * 24 * 4; n++) {
      for (const campaignId of ['day', 'week', 'month']) {
        const events = impressionAndClick(`${campaignId}-${n}`, {
          issuedAtMs: startMs + n * 15 * 60_000 - 2000 + (n % 3) * 1000,
          campaignId,
        })
        clicks.push(...events)
        const period = periodOf(campaignId, Date.parse(events[1].occurredAt))
        sold.set(period, (sold.get(period) ?? 0) + 1)
      }
    }
    await billAll(clicks, 500)

    const billed = new Map<string, number>()
    for (const { campaign, at } of await charged()) {
      const period = periodOf(campaign, at.getTime())
      billed.set(period, (billed.get(period) ?? 0) + 1)
    }
    const due = [...sold].map(([period, count]) => {
      const limit = limits[period.split(' ')[0] as keyof typeof limits]
      return [period, Math.min(count, Number(limit / PRICE))] as const
    })
    expect(Object.fromEntries(billed)).toEqual(Object.fromEntries(due))
    await expectBooksToAgree(postgres)
  })
})

describe('limits that change', () => {
  /** Lets billing run until it is about to write, and holds it there until it is told to go on. */
  function heldBeforeWriting() {
    let reached = () => {}
    let release = () => {}
    const stands = new Promise<void>((resolve) => {
      reached = resolve
    })
    const told = new Promise<void>((resolve) => {
      release = resolve
    })
    const held: Postgres = {
      ...postgres,
      query: (text, values) => postgres.query(text, values),
      transaction: (work, options) =>
        postgres.transaction(
          (tx) =>
            work({
              ...tx,
              query: async (text: string, values?: readonly unknown[]) => {
                if (text.trimStart().startsWith('insert into charges')) {
                  reached()
                  await told
                }
                return tx.query(text, values)
              },
            } as Transaction),
          options,
        ),
    }
    return { held, stands, release }
  }

  it('is in force once it was answered: nothing is charged under an older one afterwards', async () => {
    await seed([{ id: 'c1', merchantId: 'm1', budgetTotalMicros: 100n * PRICE }])
    const { held, stands, release } = heldBeforeWriting()
    const billing = billWith(held)(batchOf(recordsOf(pairs(10))))
    await stands
    const chargesWhenAnswered = (async () => {
      // As the campaigns API changes a campaign.
      await postgres.transaction(async (tx) => {
        await tx.query(`select 1 from campaigns where id = 'c1' for update`)
        await tx.query(`update campaigns set budget_total_micros = $1 where id = 'c1'`, [PRICE])
      })
      return (await charged()).length
    })()
    // The change waits for the lock, or it is done already: both can be seen in the server.
    await until(async () => {
      const { rows } = await postgres.query<{ settled: boolean }>(
        `select exists (select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') or
           (select budget_total_micros = $1 from campaigns where id = 'c1') as settled`,
        [PRICE],
      )
      return rows[0]!.settled
    }, 'the change waits or is made')
    release()
    await billing
    const whenAnswered = await chargesWhenAnswered
    await billWith(postgres)(batchOf(recordsOf(pairs(10, 'c1', 'b'), 20)))
    expect((await charged()).length).toBe(whenAnswered)
    await expectBooksToAgree(postgres)
  })

  it('that are lowered below what is spent stop charges, also free ones; raised again, what is between is spent', async () => {
    await seed([{ id: 'c1', merchantId: 'm1', pricing: 'cpm', budgetTotalMicros: 10n }])
    const impressions = (from: number, count: number, priceMicros: bigint) =>
      Array.from({ length: count }, (_, n) =>
        interactionOf(
          `i${from + n}`,
          'impression',
          NOON + from + n,
          slotToken({ auctionId: `a${from + n}`, issuedAtMs: NOON, pricing: 'cpm', priceMicros }),
        ),
      )
    const limit = (micros: bigint) =>
      postgres.query('update campaigns set budget_total_micros = $1', [micros])
    const bill = billWith(postgres)
    let next = 0
    const show = async (count: number, priceMicros: bigint) => {
      await bill(batchOf(recordsOf(impressions(next, count, priceMicros), next)))
      next += count
      const rows = await charged()
      return [rows.length, rows.reduce((sum, { amount }) => sum + amount, 0n)]
    }
    expect(await show(8, 1000n)).toEqual([8, 8n])
    await limit(5n)
    // Half a micro costs nothing by itself, and would be carried.
    expect(await show(4, 500n)).toEqual([8, 8n])
    await limit(9n)
    // The first carries its half, the second makes it a whole micro, the third is beyond the limit with its half at the next.
    expect(await show(4, 500n)).toEqual([11, 9n])
    await expectBooksToAgree(postgres)
  })
})

describe('parts of a micro', () => {
  it('are carried exactly over prices, batches and refusals: charged is what was accepted, rounded down once', async () => {
    await seed([
      { id: 'free', merchantId: 'm1', pricing: 'cpm' },
      { id: 'tight', merchantId: 'm1', pricing: 'cpm', budgetTotalMicros: 1_234n },
    ])
    let seedOfPrices = 20_260_310
    const random = (below: number) => {
      seedOfPrices = (seedOfPrices * 48_271) % 2_147_483_647
      return seedOfPrices % below
    }
    const prices = new Map<string, bigint>()
    const events = Array.from({ length: 1_500 }, (_, n) => {
      const campaignId = n % 2 ? 'free' : 'tight'
      const priceMicros = BigInt(1 + random(random(2) ? 900 : 9_000))
      prices.set(`i${n}`, priceMicros)
      const token = slotToken({
        auctionId: `a${n}`,
        issuedAtMs: NOON,
        pricing: 'cpm',
        campaignId,
        priceMicros,
      })
      return interactionOf(`i${n}`, 'impression', NOON + n, token)
    })
    await billAll(events, 61)
    const { rows } = await postgres.query<{ id: string; campaign: string; outcome: string; amount: bigint }>(
      'select interaction_id as id, campaign_id as campaign, outcome, amount_micros as amount from charges',
    )
    const { rows: counters } = await postgres.query<{ id: string; spent: bigint; carry: bigint }>(
      `select campaign_id as id, spent_micros as spent, carry from spend_counters where period = 'total' order by 1`,
    )
    expect(counters.map(({ id }) => id)).toEqual(['free', 'tight'])
    for (const { id, spent, carry } of counters) {
      const accepted = rows.filter((row) => row.campaign === id && row.outcome === 'charged')
      const thousandths = accepted.reduce((sum, row) => sum + prices.get(row.id)!, 0n)
      expect(spent * 1000n + carry).toBe(thousandths)
      expect(accepted.reduce((sum, { amount }) => sum + amount, 0n)).toBe(spent)
      expect(carry).toBeLessThan(1000n)
    }
    expect(counters[1]!.spent).toBeLessThanOrEqual(1_234n)
    expect(rows.some(({ campaign, outcome }) => campaign === 'tight' && outcome !== 'charged')).toBe(true)
    expect(
      rows.filter(({ campaign }) => campaign === 'free').every(({ outcome }) => outcome === 'charged'),
    ).toBe(true)
    await expectBooksToAgree(postgres)
  })
})

describe('a database that gives trouble', () => {
  /** As the consumer does: what fails is tried again. */
  async function triedAgain(work: () => Promise<unknown>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await work()
        return
      } catch (error) {
        if (attempt === 5) throw error
      }
    }
  }

  it('bills each click once, though its transactions fall into deadlocks', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }])
    await billAll(pairs(1))
    const before = await deadlocks()
    const events = pairs(200, 'c1', 'b')
    // Takes what billing takes, the other way round.
    const contrary = async () => {
      for (let n = 0; n < 4; n++) {
        await postgres
          .transaction(async (tx) => {
            await tx.query(`select 1 from spend_counters where campaign_id = 'c1' order by period for update`)
            await tx.query(`select pg_sleep(0.05)`)
            await tx.query(`select 1 from ledger_accounts where id = 'wallet:m1' for update`)
          })
          .catch(() => {})
      }
    }
    const bill = billWith(postgres)
    const billing = async () => {
      for (let from = 0; from < events.length; from += 20)
        await triedAgain(() => bill(batchOf(recordsOf(events.slice(from, from + 20), 2 + from))))
    }
    await Promise.all([contrary(), billing()])
    expect(await deadlocks()).toBeGreaterThan(before)
    expect(await charged()).toHaveLength(201)
    await expectBooksToAgree(postgres)
  })

  const deadlocks = async (): Promise<number> => {
    await postgres.query('select pg_stat_force_next_flush()')
    const { rows } = await postgres.query<{ n: bigint }>(
      'select deadlocks as n from pg_stat_database where datname = current_database()',
    )
    return Number(rows[0]!.n)
  }

  it('bills each click once, though its connections are cut at any moment, the commit among them', async () => {
    await seed([{ id: 'c1', merchantId: 'm1', budgetTotalMicros: 300n * PRICE }])
    const records = recordsOf(pairs(400))
    const name = new URL(database.url).pathname.slice(1)
    let done = false
    let cuts = 0
    // On another database: it must not cut its own connections.
    const cutter = await startTestPostgres()
    // Longer and longer pauses: at first nearly every transaction is cut, in the end hardly one.
    const cutting = (async () => {
      for (let pauseMs = 2; !done; pauseMs *= 1.1) {
        const { rows } = await cutter.postgres.query<{ n: bigint }>(
          `select count(pg_terminate_backend(pid)) as n from pg_stat_activity where datname = $1 and state <> 'idle'`,
          [name],
        )
        cuts += Number(rows[0]!.n)
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
    })()
    const bill = billWith(postgres)
    let failures = 0
    for (let from = 0; from < records.length; ) {
      try {
        await bill(batchOf(records.slice(from, from + 50)))
        from += 50
      } catch {
        failures++
      }
    }
    done = true
    await cutting
    await cutter.stop()
    expect(cuts).toBeGreaterThan(0)
    expect(failures).toBeGreaterThan(0)
    expect(await charged()).toHaveLength(300)
    expect(await balanceOf(postgres, 'm1')).toBe(1_000_000_000_000n - 300n * PRICE)
    await expectBooksToAgree(postgres)
  })

  it('judges one event id once, though two partitions bring it at the same moment', async () => {
    await seed([
      { id: 'c1', merchantId: 'm1' },
      { id: 'c2', merchantId: 'm2' },
    ])
    // A server that reports for two merchants used an id for both.
    const [seenByOne, one] = impressionAndClick('a1', { issuedAtMs: NOON })
    const [seenByTwo, two] = impressionAndClick('a2', {
      issuedAtMs: NOON,
      campaignId: 'c2',
      merchantId: 'm2',
    })
    const partitions = [
      batchOf(recordsOf([seenByOne, { ...one, id: 'same' }, ...pairs(20, 'c1', 'p')]), 0),
      batchOf(recordsOf([seenByTwo, { ...two, id: 'same' }]), 1),
    ]
    await Promise.all(partitions.map((batch) => triedAgain(() => billWith(postgres)(batch))))
    expect(await charged()).toHaveLength(21)
    await expectBooksToAgree(postgres)
  })

  it('spends a wallet to its last price and no further, while deposits and refunds race with charges', async () => {
    await seed([{ id: 'c1', merchantId: 'm1' }], 'UTC', 0n)
    let paidIn = 0n
    let paidOut = 0n
    let number = 0
    const move = async (micros: bigint) => {
      const now = new Date(NOON)
      await postgres.transaction(async (tx) => {
        const held = (await walletBalances(tx, ['m1'], { forUpdate: true })).get('m1')?.balanceMicros ?? 0n
        if (held + micros < 0n) return
        const transactionId = `move_${++number}`
        await postLedger(
          tx,
          [
            {
              transactionId,
              kind: micros > 0n ? 'deposit' : 'refund',
              currency: 'EUR',
              occurredAt: now,
              reference: transactionId,
              entries: [
                { account: { kind: 'wallet', merchantId: 'm1', currency: 'EUR' }, amountMicros: micros },
                { account: { kind: 'cash', currency: 'EUR' }, amountMicros: -micros },
              ],
            },
          ],
          now,
        )
        if (micros > 0n) paidIn += micros
        else paidOut -= micros
      })
    }
    const bill = billWith(postgres)
    const billing = (async () => {
      const events = pairs(300)
      for (let from = 0; from < events.length; from += 20)
        await bill(batchOf(recordsOf(events.slice(from, from + 20), from)))
    })()
    await Promise.all([
      billing,
      ...Array.from({ length: 60 }, (_, n) => move(n % 3 === 2 ? -PRICE : PRICE + 1n)),
    ])
    const spent = (await charged()).reduce((sum, { amount }) => sum + amount, 0n)
    expect(await balanceOf(postgres, 'm1')).toBe(paidIn - paidOut - spent)
    await bill(batchOf(recordsOf(pairs(300, 'c1', 'z'), 600)))
    expect(await balanceOf(postgres, 'm1')).toBeLessThan(PRICE)
    await expectBooksToAgree(postgres)
  })
})
