import { setTimeout as delay } from 'node:timers/promises'
import {
  createTokenSealer,
  formatPrice,
  type InteractionEvent,
  type OrderEvent,
  TOPICS,
} from '@endcap/contracts'
import { countCell, defineQuery } from '@endcap/platform/clickhouse'
import type { Postgres } from '@endcap/platform/postgres'
import { attributionProgressTable } from '@endcap/storage/clickhouse'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { attributeRange } from '../attribution/index.js'
import { orderOf } from '../ingest/testing/events.js'
import { type Loop, startLoop } from '../testing/loop.js'
import {
  interactionOf,
  recordOf,
  seedCampaigns,
  seedMerchants,
  slotToken,
  tickOf,
} from '../testing/marketplace.js'
import { CHECKS, type Verification, verify } from './verify.js'
import { NotSettledError, waitUntilSettled } from './wait-until-settled.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const NOW = new Date(NOON)
const clock = () => NOON + 60_000

let loop: Loop
let postgres: Postgres

/** Two merchants, two currencies, both pricings, limits that are reached, and every kind of invalid interaction. */
function traffic(): InteractionEvent[] {
  const stranger = createTokenSealer([{ id: 'k9', secret: Buffer.alloc(32, 9) }])
  const events: InteractionEvent[] = []
  for (let n = 0; n < 200; n++) {
    const [campaignId, merchantId, currency] = n % 2 ? ['c1', 'm1', 'EUR'] : ['c2', 'm2', 'USD']
    const token = slotToken({
      auctionId: `a${n}`,
      issuedAtMs: NOON,
      campaignId: n % 10 === 0 ? 'c3' : n % 10 === 4 ? 'c4' : n % 10 === 6 ? 'c5' : campaignId!,
      merchantId: merchantId!,
      currency: currency!,
      pricing: n % 10 === 0 ? 'cpm' : 'cpc',
      priceMicros: BigInt(100_000 + n * 13),
    })
    const click = interactionOf(`c${n}`, 'click', NOON + 2000 + n, token)
    if (n % 16 === 0) {
      const organic = {
        ...token,
        sponsored: false,
        pricing: '' as const,
        priceMicros: 0n,
        campaignId: '',
        position: 2,
      }
      events.push(interactionOf(`oi${n}`, 'impression', NOON + 1000 + n, organic))
      events.push(interactionOf(`oc${n}`, 'click', NOON + 2000 + n, organic))
    }
    // Some pixels load after the click, some never.
    if (n % 6 === 1) events.push(click)
    if (n % 7 !== 0) events.push(interactionOf(`i${n}`, 'impression', NOON + 1000 + n, token))
    if (n % 5 !== 0) events.push(click)
    if (n % 11 === 0) events.push(click, { ...click, id: `again-${n}` })
    if (n % 13 === 0) events.push(interactionOf(`v${n}`, 'viewable', NOON + 3000, token))
    if (n % 17 === 0) events.push(interactionOf(`late-${n}`, 'impression', NOON + 3 * 3_600_000, token))
    if (n % 23 === 0) events.push({ ...click, id: `bot${n}`, data: { ...click.data, suspicions: ['bot'] } })
    if (n % 19 === 0) events.push(interactionOf(`x${n}`, 'click', NOON + 4000, token, stranger))
  }
  // The log's own time goes on, so that no click waits any longer.
  for (const [campaignId, merchantId, currency] of [
    ['c1', 'm1', 'EUR'],
    ['c2', 'm2', 'USD'],
  ] as const) {
    const later = { issuedAtMs: NOON + 4 * 3_600_000, campaignId, merchantId, currency }
    const token = slotToken({ auctionId: `later-${merchantId}`, ...later })
    events.push(interactionOf(`later-${merchantId}`, 'impression', later.issuedAtMs, token))
  }
  return events
}

beforeAll(async () => {
  loop = await startLoop({ clock, maxBatchRecords: 37 })
  postgres = loop.postgres
  await seedMerchants(
    postgres,
    [
      { id: 'm1', depositMicros: 5_000_000n },
      { id: 'm2', currency: 'USD', timeZone: 'America/New_York', depositMicros: 100_000_000n },
    ],
    NOW,
  )
  await seedCampaigns(
    postgres,
    [
      { id: 'c1', merchantId: 'm1' },
      { id: 'c2', merchantId: 'm2', budgetDailyMicros: 2_000_000n },
      { id: 'c3', merchantId: 'm2', pricing: 'cpm', budgetTotalMicros: 1_000n },
      { id: 'c4', merchantId: 'm2', budgetWeeklyMicros: 300_000n },
      { id: 'c5', merchantId: 'm2', budgetMonthlyMicros: 300_000n },
    ],
    NOW,
  )
  await loop.append(traffic())
  await loop.log.append(TOPICS.interactions, [{ key: 'm1', value: 'no event' }, recordOf(tickOf('m1', NOON))])
})
afterAll(() => loop.stop())

const deps = () => loop.deps()
/** No attribution runs beside these tests. */
const AT_ONCE = { attributionWithinMs: 0 }
const failing = ({ checks }: Verification) => checks.filter(({ ok }) => !ok).map(({ name }) => name)
const sidesOf = ({ checks }: Verification, name: string) => {
  const { left, right } = checks.find((check) => check.name === name)!
  return [left, right]
}
const detailOf = ({ checks }: Verification, name: string) =>
  checks.find((check) => check.name === name)?.detail ?? ''

/** What verification finds after a change to the database, which is then undone. */
async function foundAfter(...statements: string[]): Promise<Verification> {
  const undone = new Error('undone')
  let found: Verification | undefined
  await postgres
    .transaction(async (tx) => {
      await tx.query('set transaction isolation level repeatable read')
      await tx.query(statements.join(';'))
      const inside: Postgres = {
        ...postgres,
        query: (text, values) => tx.query(text, values),
        transaction: (work) => work(tx),
      }
      found = await verify({ ...deps(), postgres: inside })
      throw undone
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error
    })
  return found!
}

const RAW = ['auctions_v1', 'auction_slots_v1', 'interactions_v1', 'charges_v1', 'order_lines_v1']
const ROLLUPS = ['performance_minute_v1', 'performance_day_v1']
const run = (sql: string) => loop.clickhouse.command(sql, {}, { mutations_sync: '1', insert_deduplicate: 0 })

/** What verification finds after a change to ClickHouse, which is then undone. */
async function foundAfterStored(...statements: string[]): Promise<Verification> {
  for (const table of [...RAW, ...ROLLUPS])
    await run(
      `create or replace table kept_${table} engine = MergeTree order by tuple() as select * from ${table}`,
    )
  for (const statement of statements) await run(statement)
  const found = await verify(deps(), AT_ONCE)
  // Raw rows feed the rollups: those come last.
  for (const table of [...RAW, ...ROLLUPS]) {
    await run(`truncate table ${table}`)
    await run(`insert into ${table} select * from kept_${table}`)
  }
  for (const table of ROLLUPS) {
    await run(`truncate table ${table}`)
    await run(`insert into ${table} select * from kept_${table}`)
  }
  for (const table of [...RAW, ...ROLLUPS]) await run(`drop table kept_${table}`)
  expect(failing(await verify(deps(), AT_ONCE))).toEqual([])
  return found
}

const idOf = async (sql: string): Promise<string> =>
  (await postgres.query<{ id: string }>(`select (${sql}) as id`)).rows[0]!.id

/** A charge that moved money, whose slot's campaign has no limit that it would now break. */
const A_CHARGE = `select min(id) from charges where amount_micros > 0 and campaign_id = 'c1'`

describe('verify', () => {
  it('is not settled while nobody bills, and says what is missing', async () => {
    await expect(waitUntilSettled(deps(), 50)).rejects.toThrow(NotSettledError)
    await expect(waitUntilSettled(deps(), 50)).rejects.toThrow(/billing: \d+ interactions to go/)
  })

  it('has patience as long as something moves, if asked to, and not longer', async () => {
    const bill = (next: number) =>
      postgres.query(
        `insert into consumer_offsets (consumer, topic, partition, next_offset, updated_at)
         values ('billing', 'endcap.interactions.v1', 0, $1, now())
         on conflict (consumer, topic, partition) do update set next_offset = $1`,
        [next],
      )
    const waiting = waitUntilSettled(deps(), 2_000, { sinceProgress: true }).catch((error: unknown) => error)
    for (let next = 1; next <= 5; next++) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      await bill(next)
    }
    const left = (await loop.log.ranges(TOPICS.interactions)).reduce((sum, { end }) => sum + Number(end), -5)
    expect(await waiting).toEqual(
      new NotSettledError(`after 2 s without progress still waiting for billing: ${left} interactions to go`),
    )
    await postgres.query(`delete from consumer_offsets where consumer = 'billing'`)
  })

  it('finds that log, charges, ledger, counters, wallets, ClickHouse and rollups agree once all is settled', async () => {
    await loop.start()
    await waitUntilSettled(deps(), 30_000)
    const progress: [number, number][] = []
    const result = await verify(deps(), { onProgress: (done, total) => progress.push([done, total]) })
    expect(result).toMatchObject({ ok: true })
    expect(result.checks.map(({ name }) => name)).toEqual(CHECKS)
    const [done, total] = progress.at(-1)!
    expect(done).toBe(total)
    // Every limit was reached and every kind of fault was there, or the agreement would mean little.
    const { rows } = await postgres.query<{ reason: string }>(
      'select distinct reason from charges order by reason',
    )
    expect(rows.map(({ reason }) => reason)).toEqual([
      '',
      'bot',
      'no_impression',
      'over_budget_day',
      'over_budget_month',
      'over_budget_total',
      'over_budget_week',
      'over_wallet',
      'repeat',
      'stale',
      'token_invalid',
    ])
  })

  it('prints and compares money by currency where merchants have several', async () => {
    const { rows } = await postgres.query<{ currency: string; micros: bigint }>(
      `select currency, sum(amount_micros)::bigint as micros from charges group by currency order by currency`,
    )
    const spent = rows.map(({ currency, micros }) => `${currency} ${formatPrice(micros)}`).join(', ')
    expect(spent).toMatch(/^EUR \d+\.\d{6}, USD \d+\.\d{6}$/)
    const found = await verify(deps(), AT_ONCE)
    expect(sidesOf(found, 'charges_equal_report')).toEqual([spent, spent])
    expect(sidesOf(found, 'spend_counters_equal_charges')).toEqual([spent, spent])
    for (const side of sidesOf(found, 'rollup_equals_raw')) expect(side).toMatch(`, spend ${spent}`)
    expect(sidesOf(found, 'budgets_respected')).toEqual(['0', '0'])
    expect(sidesOf(found, 'wallets_equal_entries')).toEqual(['0', '0'])
  })

  it('tells currencies apart whose differences would make up for each other', async () => {
    const counters = await foundAfter(
      `update spend_counters set spent_micros = spent_micros + case campaign_id when 'c1' then 7 else -7 end
       where campaign_id in ('c1', 'c2') and period = 'total'`,
    )
    expect(failing(counters)).toEqual(['spend_counters_equal_charges'])
    const [left, right] = sidesOf(counters, 'spend_counters_equal_charges')
    expect(left).not.toBe(right)
    const wallets = await foundAfter(
      `update ledger_accounts set balance_micros = balance_micros + case id when 'wallet:m1' then 7 else -7 end
       where kind = 'wallet'`,
    )
    expect(sidesOf(wallets, 'wallets_equal_entries')).toEqual(['EUR 0.000007, USD -0.000007', '0'])
    const budgets = await foundAfter(
      `update campaigns set budget_total_micros = 1000000, limits_changed_at = '2026-03-01' where id in ('c1', 'c2')`,
    )
    expect(failing(budgets)).toEqual(['budgets_respected'])
    expect(sidesOf(budgets, 'budgets_respected')[0]).toMatch(/^EUR \d+\.\d{6}, USD \d+\.\d{6}$/)
    expect(detailOf(budgets, 'budgets_respected')).toBe('c1 total, c2 total')
  })

  it('finds exactly one verdict of every sponsored impression and click, and none of any other', async () => {
    const verdicts = defineQuery({
      name: 'verdicts_by_interaction',
      params: z.object({}),
      row: z.object({
        sponsored: z.boolean(),
        type: z.string(),
        verdicts: countCell,
        interactions: countCell,
      }),
      sql: `select sponsored, type, verdicts, count() as interactions from (
          select i.event_id, any(i.sponsored) as sponsored, any(i.type) as type, countIf(v.interaction_id != '') as verdicts
          from (select distinct event_id, sponsored, type from interactions_v1) as i
          left join verdicts_v1 as v on v.interaction_id = i.event_id
          group by i.event_id)
        group by sponsored, type, verdicts order by sponsored, type, verdicts`,
    })
    const { rows } = await postgres.query<{ waiting: bigint }>(
      'select count(*) as waiting from waiting_clicks',
    )
    expect(rows).toEqual([{ waiting: 0n }])
    const counts = await loop.clickhouse.query(verdicts, {})
    expect(counts.map(({ interactions: _, ...which }) => which)).toEqual([
      { sponsored: false, type: 'click', verdicts: 0 },
      { sponsored: false, type: 'impression', verdicts: 0 },
      { sponsored: true, type: 'click', verdicts: 1 },
      { sponsored: true, type: 'impression', verdicts: 1 },
      { sponsored: true, type: 'viewable', verdicts: 0 },
    ])
    expect(Math.min(...counts.map(({ interactions }) => interactions))).toBeGreaterThan(5)
  })

  it('finds a waiting click that nobody knows of', async () => {
    const found = await foundAfter(
      `insert into waiting_clicks (interaction_id, partition, auction_id, position, deadline, interaction)
       select 'nobody', partition, 'a', 1, '2027-01-01', '{}' from consumer_offsets
       where topic = 'endcap.interactions.v1' limit 1`,
    )
    expect(failing(found)).toEqual(['billable_equal_charges'])
    expect(detailOf(found, 'billable_equal_charges')).toBe('0 clicks wait in the log, 1 in billing')
  })

  it('leaves out what a key sealed that is configured no more, and says how much that is', async () => {
    const { rows } = await postgres.query<{ valid: bigint }>(
      `select count(*) as valid from charges where outcome = 'charged' or reason like 'over%'`,
    )
    const valid = Number(rows[0]!.valid)
    expect(valid).toBeGreaterThan(100)
    const newKey = { id: 'k2', secret: Buffer.alloc(32, 8) }
    const rotated = await verify({ ...deps(), tokenKeys: [newKey] })
    expect(failing(rotated)).toEqual([])
    const text = `0 and ${valid} sealed by k1, which is not configured`
    expect(sidesOf(rotated, 'billable_equal_charges')).toEqual([text, text])
    const both = await verify({ ...deps(), tokenKeys: [newKey, ...deps().tokenKeys] })
    expect(sidesOf(both, 'billable_equal_charges')).toEqual([String(valid), String(valid)])
    // Another secret under the key's name: tokens that do not open.
    const other = await verify({ ...deps(), tokenKeys: [{ id: 'k1', secret: newKey.secret }] })
    expect(failing(other)).toEqual(['billable_equal_charges'])
    expect(sidesOf(other, 'billable_equal_charges')).toEqual(['0', String(valid)])
  })

  it('finds and names a charge that was deleted', async () => {
    const id = await idOf(A_CHARGE)
    const found = await foundAfter(`delete from charges where id = '${id}'`)
    expect(failing(found)).toEqual([
      'charges_equal_ledger',
      'ledger_per_charge',
      'charges_equal_report',
      'charges_in_clickhouse',
      'billable_equal_charges',
      'spend_counters_equal_charges',
    ])
    expect(detailOf(found, 'ledger_per_charge')).toBe(id)
    expect(detailOf(found, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
    expect(detailOf(found, 'billable_equal_charges')).toMatch(
      /^2026-03-10T12:00Z: \d+ in the log, \d+ in charges$/,
    )
    expect(detailOf(found, 'spend_counters_equal_charges')).toBe(
      'c1 2026-03-10, c1 month:2026-03, c1 total, c1 week:2026-03-09',
    )
  })

  it('finds and names a charge of another amount', async () => {
    const id = await idOf(A_CHARGE)
    const found = await foundAfter(`update charges set amount_micros = amount_micros + 1 where id = '${id}'`)
    expect(failing(found)).toEqual([
      'charges_equal_ledger',
      'ledger_per_charge',
      'charges_equal_report',
      'charges_in_clickhouse',
      'spend_counters_equal_charges',
    ])
    expect(detailOf(found, 'ledger_per_charge')).toBe(id)
    expect(detailOf(found, 'charges_in_clickhouse')).toContain(id)
  })

  it('finds and names an amount moved from one charge to another', async () => {
    const [first, last] = [await idOf(A_CHARGE), await idOf(A_CHARGE.replace('min', 'max'))]
    const found = await foundAfter(
      `update charges set amount_micros = amount_micros + 1 where id = '${first}'`,
      `update charges set amount_micros = amount_micros - 1 where id = '${last}'`,
    )
    expect(failing(found)).toEqual(['ledger_per_charge', 'charges_in_clickhouse'])
    expect(detailOf(found, 'ledger_per_charge')).toBe(`${first}, ${last}`)
  })

  it('finds and names a verdict of another reason, in either store', async () => {
    const id = await idOf(`select min(id) from charges where reason = 'repeat'`)
    const found = await foundAfter(`update charges set reason = 'bot' where id = '${id}'`)
    expect(failing(found)).toEqual(['charges_in_clickhouse'])
    expect(detailOf(found, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
    const stored = await foundAfterStored(
      `alter table charges_v1 update reason = 'bot' where event_id = '${id}' settings mutations_sync = 1`,
    )
    expect(failing(stored)).toEqual(['charges_in_clickhouse'])
    expect(detailOf(stored, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
  })

  it.each([
    ['listing_id', `'l2'`],
    ['position', 'position + 1'],
    ['ad_id', `'ad2'`],
    ['interaction_type', `'impression'`],
  ])('finds and names a charge whose %s was changed, in either store', async (column, value) => {
    const id = await idOf(A_CHARGE)
    const found = await foundAfter(`update charges set ${column} = ${value} where id = '${id}'`)
    expect(failing(found)).toEqual(['charges_in_clickhouse'])
    expect(detailOf(found, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
    const stored = await foundAfterStored(
      `alter table charges_v1 update ${column} = ${value} where event_id = '${id}'`,
    )
    expect(failing(stored)).toEqual(['charges_in_clickhouse'])
    expect(detailOf(stored, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
  })

  it('finds and names a charge that was moved in time: when it occurred, or when it and its entries were booked', async () => {
    const id = await idOf(A_CHARGE)
    const later = await foundAfter(
      `update charges set occurred_at = occurred_at + interval '1 minute' where id = '${id}'`,
    )
    expect(failing(later)).toEqual(['charges_in_clickhouse'])
    expect(detailOf(later, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
    const booked = (table: string, key: string) =>
      `update ${table} set created_at = created_at - interval '40 days' where ${key} = '${id}'`
    const earlier = await foundAfter(booked('charges', 'id'), booked('ledger_entries', 'transaction_id'))
    expect(failing(earlier)).toEqual(['charges_in_clickhouse'])
    expect(detailOf(earlier, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
  })

  it.each([
    ['over-delivery', 'over_budget_day'],
    ['a charge', ''],
  ])('finds and names %s whose price was changed, in either store', async (_, reason) => {
    const id = await idOf(`select min(id) from charges where reason = '${reason}'`)
    const found = await foundAfter(`update charges set price_micros = price_micros + 1 where id = '${id}'`)
    expect(failing(found)).toEqual(['charges_in_clickhouse'])
    expect(detailOf(found, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
    const stored = await foundAfterStored(
      `alter table charges_v1 update price_micros = price_micros + 1 where event_id = '${id}'`,
    )
    expect(failing(stored)).toEqual(['charges_in_clickhouse', 'amounts_equal_log'])
    expect(detailOf(stored, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
    expect(detailOf(stored, 'amounts_equal_log')).toMatch(
      /^charges of 2026-03-10T12:00Z: \d+ micros in the log, \d+ stored$/,
    )
  })

  it('finds and names a deposit of another amount, and one that the ledger has twice', async () => {
    const id = await idOf(`select min(id) from deposits where merchant_id = 'm1'`)
    const changed = await foundAfter(
      `update deposits set amount_micros = amount_micros + 7 where id = '${id}'`,
    )
    expect(failing(changed)).toEqual(['ledger_per_deposit'])
    expect(detailOf(changed, 'ledger_per_deposit')).toBe(id)
    const doubled = await foundAfter(
      `insert into ledger_entries (transaction_id, idempotency_key, kind, account_id, amount_micros, currency, reference,
         occurred_at, created_at)
       select 'ltx_dup', 'dup:' || idempotency_key, kind, account_id, amount_micros, currency, reference, occurred_at, created_at
       from ledger_entries where reference = '${id}'`,
      `update ledger_accounts set balance_micros = balance_micros + 5000000 where id = 'wallet:m1'`,
    )
    expect(failing(doubled)).toEqual(['ledger_per_deposit'])
    expect(detailOf(doubled, 'ledger_per_deposit')).toBe(id)
    const lost = await foundAfter(`delete from deposits where id = '${id}'`)
    expect(failing(lost)).toEqual(['ledger_per_deposit'])
    expect(detailOf(lost, 'ledger_per_deposit')).toBe(id)
  })

  it("finds and names a charge and a deposit whose entries were booked into another month's statement", async () => {
    const [charge, deposit] = [
      await idOf(A_CHARGE),
      await idOf(`select min(id) from deposits where merchant_id = 'm1'`),
    ]
    const move = (where: string) =>
      foundAfter(`update ledger_entries set created_at = created_at - interval '40 days' where ${where}`)
    const charged = await move(`transaction_id = '${charge}'`)
    expect(failing(charged)).toEqual(['ledger_per_charge'])
    expect(detailOf(charged, 'ledger_per_charge')).toBe(charge)
    const deposited = await move(`reference = '${deposit}' and account_id = 'wallet:m1'`)
    expect(failing(deposited)).toEqual(['ledger_per_deposit'])
    expect(detailOf(deposited, 'ledger_per_deposit')).toBe(deposit)
  })

  it('finds spend that the rollups count for another merchant', async () => {
    const move = (merchant: string, micros: number) =>
      `insert into performance_minute_v1 (minute, merchant_id, campaign_id, spend_micros)
       values ('2026-03-10 12:00:00', '${merchant}', 'moved', ${micros})`
    const found = await foundAfterStored(move('m1', -7), move('m2', 7))
    // The two have other currencies.
    expect(failing(found)).toEqual(['charges_equal_report', 'rollup_equals_raw'])
    for (const name of failing(found)) {
      const [left, right] = sidesOf(found, name)
      expect(left).not.toBe(right)
    }
    expect(detailOf(found, 'rollup_equals_raw')).toBe('2026-03-10T12:00Z')
  })

  it('finds and names a ledger entry of another amount', async () => {
    const id = await idOf(A_CHARGE)
    const found = await foundAfter(
      `update ledger_entries set amount_micros = amount_micros - 1 where transaction_id = '${id}' and account_id = 'wallet:m1'`,
    )
    expect(failing(found)).toEqual(['ledger_sum_zero', 'ledger_per_charge', 'wallets_equal_entries'])
    expect(detailOf(found, 'ledger_sum_zero')).toBe(id)
    expect(detailOf(found, 'ledger_per_charge')).toBe(id)
    expect(detailOf(found, 'wallets_equal_entries')).toMatch(/^wallet:m1 holds /)
  })

  it('finds and names an entry without its counterpart', async () => {
    const id = await idOf(
      `select transaction_id from ledger_entries where account_id = 'revenue:EUR' order by id limit 1`,
    )
    const found = await foundAfter(
      `delete from ledger_entries where account_id = 'revenue:EUR' and transaction_id = '${id}'`,
    )
    expect(failing(found)).toEqual(['ledger_sum_zero', 'charges_equal_ledger', 'ledger_per_charge'])
    expect(detailOf(found, 'ledger_per_charge')).toBe(id)
  })

  it('finds and names a wallet that is not the sum of its entries', async () => {
    const found = await foundAfter(
      "update ledger_accounts set balance_micros = balance_micros + 1 where id = 'wallet:m1'",
    )
    expect(failing(found)).toEqual(['wallets_equal_entries'])
    expect(detailOf(found, 'wallets_equal_entries')).toContain('wallet:m1')
  })

  it.each(['total', '2026-03-10', 'week:2026-03-09', 'month:2026-03'])(
    'finds and names a spend counter that was changed: %s',
    async (period) => {
      const found = await foundAfter(
        `insert into spend_counters (campaign_id, period, merchant_id, spent_micros, updated_at)
         select 'c2', '${period}', 'm2', spent_micros, now() from spend_counters where campaign_id = 'c2' and period = 'total'
         on conflict do nothing`,
        `update spend_counters set spent_micros = spent_micros + 1 where campaign_id = 'c2' and period = '${period}'`,
      )
      expect(failing(found)).toEqual(['spend_counters_equal_charges'])
      expect(detailOf(found, 'spend_counters_equal_charges')).toBe(`c2 ${period}`)
    },
  )

  it.each([
    ['daily', '2026-03-10'],
    ['weekly', 'week:2026-03-09'],
    ['monthly', 'month:2026-03'],
    ['total', 'total'],
  ])('finds and names charges beyond a %s limit that was in force', async (limit, period) => {
    // Renamed afterwards, which changes no limit.
    const lowered = (at: string) =>
      foundAfter(
        `update campaigns set budget_${limit}_micros = 1000000, limits_changed_at = '${at}', updated_at = '2026-03-12'
         where id = 'c2'`,
      )
    const found = await lowered('2026-03-01')
    expect(failing(found)).toEqual(['budgets_respected'])
    expect(detailOf(found, 'budgets_respected')).toBe(`c2 ${period}`)
    // A limit lowered below what was spent: allowed.
    expect(failing(await lowered('2026-03-11'))).toEqual([])
  })

  it('finds an invalid click that was billed', async () => {
    const id = await idOf(`select min(id) from charges where reason = 'no_impression' and pricing = 'cpc'`)
    const found = await foundAfter(`update charges set outcome = 'charged', reason = '' where id = '${id}'`)
    expect(failing(found)).toEqual(['charges_in_clickhouse', 'billable_equal_charges'])
  })

  it('finds a charge that was given back without its entries, its counters and its row', async () => {
    const id = await idOf(A_CHARGE)
    const found = await foundAfter(
      `insert into clawbacks (id, reason, requested_by, created_at) values ('clb', 'bot', 'key', now())`,
      `insert into clawed_back_charges (charge_id, clawback_id, campaign_id, budget_day, amount_micros, currency, occurred_at, created_at)
       select id, 'clb', campaign_id, budget_day, amount_micros, currency, occurred_at, created_at from charges where id = '${id}'`,
    )
    expect(failing(found)).toEqual([
      'charges_equal_ledger',
      'ledger_per_charge',
      'charges_equal_report',
      'charges_in_clickhouse',
      'spend_counters_equal_charges',
    ])
    expect(detailOf(found, 'charges_in_clickhouse')).toContain(`claw:${id}`)
  })

  it('finds and names a row of an event that ClickHouse holds twice', async () => {
    const found = await foundAfterStored(
      `insert into interactions_v1 select * replace ('by hand' as source_batch) from interactions_v1 where event_id = 'c1'`,
    )
    expect(failing(found)).toEqual(['events_stored_once'])
    expect(detailOf(found, 'events_stored_once')).toBe('c1 of 2026-03-10T12:00Z is stored more than once')
  })

  it('finds and names a charge that ClickHouse holds twice', async () => {
    const id = await idOf(A_CHARGE)
    const found = await foundAfterStored(
      `insert into charges_v1 select * from charges_v1 where event_id = '${id}'`,
    )
    expect(failing(found)).toEqual([
      'charges_equal_report',
      'charges_in_clickhouse',
      'charges_once_per_interaction',
      'events_stored_once',
    ])
    const interaction = await idOf(`select interaction_id from charges where id = '${id}'`)
    expect(detailOf(found, 'charges_once_per_interaction')).toBe(interaction)
    expect(detailOf(found, 'events_stored_once')).toContain(id)
  })

  it('finds and names a charge whose amount was changed in ClickHouse', async () => {
    const id = await idOf(A_CHARGE)
    const found = await foundAfterStored(
      `alter table charges_v1 update amount_micros = amount_micros + 1 where event_id = '${id}'`,
    )
    expect(failing(found)).toEqual(['charges_in_clickhouse', 'amounts_equal_log', 'rollup_equals_raw'])
    expect(detailOf(found, 'charges_in_clickhouse')).toBe(`2026-03-10T12:00Z (${id})`)
    expect(detailOf(found, 'rollup_equals_raw')).toBe('2026-03-10T12:00Z, 2026-03-10 (by day)')
  })

  it('finds and names an hour that ClickHouse lacks, and nothing else', async () => {
    const found = await foundAfterStored(
      ...RAW.map((table) => `delete from ${table} where toStartOfHour(occurred_at) = '2026-03-10 15:00:00'`),
      `delete from performance_minute_v1 where toStartOfHour(minute) = '2026-03-10 15:00:00'`,
    )
    expect(failing(found)).toEqual([
      'charges_in_clickhouse',
      'events_stored_once',
      'clickhouse_hours_complete',
      'rollup_equals_raw',
    ])
    expect(detailOf(found, 'clickhouse_hours_complete')).toMatch(
      /^2026-03-10T15:00Z lacks \d+ interactions, \d+ charges$/,
    )
    expect(detailOf(found, 'charges_in_clickhouse')).toMatch(/^2026-03-10T15:00Z \(/)
    // The daily rollup still holds what its raw rows lack.
    expect(detailOf(found, 'rollup_equals_raw')).toBe('2026-03-10 (by day)')
  })

  it('finds an hour whose rollup alone is gone', async () => {
    const found = await foundAfterStored(
      `delete from performance_minute_v1 where toStartOfHour(minute) = '2026-03-10 12:00:00'`,
    )
    expect(failing(found)).toEqual(['charges_equal_report', 'rollup_equals_raw'])
    expect(detailOf(found, 'rollup_equals_raw')).toBe('2026-03-10T12:00Z')
  })

  it('finds an event that is not in the log', async () => {
    const found = await foundAfterStored(
      `insert into interactions_v1 select * replace ('made up' as event_id) from (select * from interactions_v1 where event_id = 'i1')`,
    )
    expect(failing(found)).toEqual(['events_stored_once'])
    expect(detailOf(found, 'events_stored_once')).toBe('made up of 2026-03-10T12:00Z is not in the log')
  })
  describe('of attributions', () => {
    const ORDERED = NOON + 6 * 3_600_000
    const touchOf = (customerHash: string, receivedAtMs: number): InteractionEvent => {
      const at = ORDERED - 60_000
      const token = slotToken({ auctionId: `touch-${customerHash}`, issuedAtMs: at })
      const event = interactionOf(`touch-${customerHash}`, 'impression', at, token)
      return {
        ...event,
        receivedAt: new Date(receivedAtMs).toISOString(),
        data: { ...event.data, customerHash },
      }
    }
    const orderBy = (customerHash: string, receivedAtMs: number): OrderEvent => {
      const { data, ...envelope } = orderOf(0)
      const [occurredAt, receivedAt] = [ORDERED, receivedAtMs].map((at) => new Date(at).toISOString())
      return {
        ...envelope,
        id: `order-${customerHash}`,
        occurredAt: occurredAt!,
        receivedAt: receivedAt!,
        data: {
          ...data,
          orderId: customerHash,
          customerHash,
          placedAt: occurredAt!,
          lines: [{ ...data.lines[0]!, lineId: '1', listingId: 'l1' }],
        },
      }
    }
    const attribute = () => attributeRange(loop.clickhouse, new Date(ORDERED), new Date(ORDERED + 30_000))
    const attributed = (throughMs: number) =>
      loop.clickhouse.insert(attributionProgressTable, [{ eventsThroughMs: throughMs, runAtMs: throughMs }], {
        token: `attribution:${throughMs}`,
      })

    beforeAll(async () => {
      await loop.append([
        touchOf('early', ORDERED - 60_000),
        touchOf('other', ORDERED - 60_000),
        touchOf('newest', ORDERED - 60_000),
        touchOf('late', ORDERED + 10_000),
      ])
      const orders = ['early', 'other', 'late', 'untouched', ''].map((customer) => orderBy(customer, ORDERED))
      await loop.log.append(
        TOPICS.orders,
        [...orders, orderBy('newest', ORDERED + 90_000)].map((event) => ({
          key: event.key,
          value: JSON.stringify(event),
        })),
      )
      await loop.settled()
    })

    it('expects none of orders that attribution has not come to', async () => {
      expect(failing(await verify(deps(), AT_ONCE))).toEqual([])
      await attributed(ORDERED + 59_000)
      expect(failing(await verify(deps(), AT_ONCE))).toEqual([])
    })

    it('finds and names lines whose touch is known and that are attributed to none, and no others', async () => {
      await attributed(ORDERED + 120_000)
      const none = await verify(deps(), AT_ONCE)
      expect(failing(none)).toEqual(['attributions_equal_orders'])
      expect(sidesOf(none, 'attributions_equal_orders')).toEqual(['2 lines', '0 lines'])
      expect(detailOf(none, 'attributions_equal_orders')).toBe(
        'early 1 is not attributed, other 1 is not attributed',
      )
      await attribute()
      const all = await verify(deps(), AT_ONCE)
      expect(failing(all)).toEqual([])
      expect(sidesOf(all, 'attributions_equal_orders')).toEqual(['3 lines', '3 lines'])
      await run(`delete from attributions_v1 where order_id = 'other'`)
      const one = await verify(deps(), AT_ONCE)
      expect(failing(one)).toEqual(['attributions_equal_orders'])
      expect(detailOf(one, 'attributions_equal_orders')).toBe('other 1 is not attributed')
    })

    it('waits for the next run of attribution before it calls a line lost', async () => {
      const verified = verify(deps(), { attributionWithinMs: 20_000 })
      const [{ checks }] = await Promise.all([verified, delay(1500).then(attribute)])
      expect(checks.filter(({ ok }) => !ok)).toEqual([])
    })
  })
})
