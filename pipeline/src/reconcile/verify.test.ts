import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createIdSource,
  createTokenSealer,
  type InteractionEvent,
  TOPIC_SPECS,
  TOPICS,
} from '@endcap/contracts'
import { countCell, defineQuery } from '@endcap/platform/clickhouse'
import { createEmbeddedLog, type EmbeddedLog } from '@endcap/platform/event-log'
import type { Component } from '@endcap/platform/lifecycle'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { createOutboxRelay, type Postgres } from '@endcap/platform/postgres'
import {
  startTestClickHouse,
  startTestPostgres,
  type TestClickHouse,
  type TestPostgres,
} from '@endcap/platform/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createBilling } from '../billing/index.js'
import { createIngest } from '../ingest/index.js'
import {
  interactionOf,
  recordOf,
  seedCampaigns,
  seedMerchants,
  slotToken,
  TOKEN_KEYS,
} from '../testing/marketplace.js'
import { type Verification, verify } from './verify.js'
import { NotSettledError, waitUntilSettled } from './wait-until-settled.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const NOW = new Date(NOON)
const clock = () => NOON + 60_000

let database: TestPostgres
let postgres: Postgres
let engine: TestClickHouse
let log: EmbeddedLog
let dir: string
let components: readonly Component[]

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
  database = await startTestPostgres()
  postgres = database.postgres
  engine = await startTestClickHouse()
  dir = await mkdtemp(join(tmpdir(), 'endcap-verify-'))
  log = createEmbeddedLog({ dir, clock })
  await log.ensureTopics(TOPIC_SPECS)
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
  const shared = {
    log,
    postgres,
    clock,
    ids: createIdSource(),
    logger: silentLogger(),
    tokenKeys: TOKEN_KEYS,
  }
  const registry = createMetrics({ service: 'test' })
  components = [
    createIngest({ ...shared, clickhouse: engine.clickhouse, registry, lingerMs: 20 }),
    createOutboxRelay({ ...shared, metrics: registry }),
    createBilling({ ...shared, registry, lingerMs: 5, maxBatchRecords: 37 }),
  ]
  await log.append(TOPICS.interactions, traffic().map(recordOf))
  await log.append(TOPICS.interactions, [{ key: 'm1', value: 'no event' }])
})
afterAll(async () => {
  for (const component of [...components].reverse()) await component.stop()
  await log.close()
  await engine.close()
  await database.stop()
  await rm(dir, { recursive: true, force: true })
})

const deps = () => ({ postgres, log, clickhouse: engine.clickhouse, tokenKeys: TOKEN_KEYS, clock })
const failing = ({ checks }: Verification) => checks.filter(({ ok }) => !ok).map(({ name }) => name)

/** What verification finds after a change to the database, which is then undone. */
async function failingAfter(...statements: string[]): Promise<readonly string[]> {
  const undone = new Error('undone')
  let found: readonly string[] = []
  await postgres
    .transaction(async (tx) => {
      await tx.query(statements.join(';'))
      const inside: Postgres = { ...postgres, query: (text, values) => tx.query(text, values) }
      found = failing(await verify({ ...deps(), postgres: inside }))
      throw undone
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error
    })
  return found
}

describe('verify', () => {
  it('is not settled while nobody bills, and says what is missing', async () => {
    await expect(waitUntilSettled(deps(), 50)).rejects.toThrow(NotSettledError)
    await expect(waitUntilSettled(deps(), 50)).rejects.toThrow(/billing: \d+ interactions to go/)
  })

  it('finds that log, charges, ledger, counters, wallets, ClickHouse and rollups agree once all is settled', async () => {
    for (const component of components) await component.start()
    await waitUntilSettled(deps(), 30_000)
    const progress: [number, number][] = []
    const result = await verify(deps(), { onProgress: (done, total) => progress.push([done, total]) })
    expect(result).toMatchObject({ ok: true })
    expect(result.checks.map(({ name }) => name)).toEqual([
      'ledger_sum_zero',
      'charges_equal_ledger',
      'charges_equal_report',
      'billable_equal_charges',
      'events_stored_once',
      'budgets_respected',
      'wallets_not_negative',
      'spend_counters_equal_charges',
      'rollup_equals_raw',
    ])
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
    const counts = await engine.clickhouse.query(verdicts, {})
    expect(counts.map(({ interactions: _, ...which }) => which)).toEqual([
      { sponsored: false, type: 'click', verdicts: 0 },
      { sponsored: false, type: 'impression', verdicts: 0 },
      { sponsored: true, type: 'click', verdicts: 1 },
      { sponsored: true, type: 'impression', verdicts: 1 },
      { sponsored: true, type: 'viewable', verdicts: 0 },
    ])
    expect(Math.min(...counts.map(({ interactions }) => interactions))).toBeGreaterThan(5)
  })

  it.each([
    [
      'a charge that is lost',
      ['delete from charges where id = (select min(id) from charges where amount_micros > 0)'],
      [
        'charges_equal_ledger',
        'charges_equal_report',
        'billable_equal_charges',
        'spend_counters_equal_charges',
      ],
    ],
    [
      'a charge of another amount',
      [
        'update charges set amount_micros = amount_micros + 1 where id = (select min(id) from charges where amount_micros > 0)',
      ],
      ['charges_equal_ledger', 'charges_equal_report', 'spend_counters_equal_charges'],
    ],
    [
      'an entry without its counterpart',
      [
        "delete from ledger_entries where id = (select min(id) from ledger_entries where account_id = 'revenue:EUR')",
      ],
      ['ledger_sum_zero', 'charges_equal_ledger'],
    ],
    [
      'an amount moved from one charge to another',
      [
        "update charges set amount_micros = amount_micros + 1 where id = (select min(id) from charges where amount_micros > 0 and campaign_id = 'c1')",
        "update charges set amount_micros = amount_micros - 1 where id = (select max(id) from charges where amount_micros > 0 and campaign_id = 'c1')",
      ],
      ['charges_equal_ledger'],
    ],
    [
      'a wallet that is not the sum of its entries',
      ["update ledger_accounts set balance_micros = balance_micros + 1 where id = 'wallet:m1'"],
      ['wallets_not_negative'],
    ],
    [
      'a counter that has drifted',
      [
        "update spend_counters set spent_micros = spent_micros + 1 where campaign_id = 'c2' and period <> 'total'",
      ],
      ['spend_counters_equal_charges'],
    ],
    [
      'charges beyond the week',
      ["update campaigns set budget_weekly_micros = 200000, updated_at = '2026-03-01' where id = 'c4'"],
      ['budgets_respected'],
    ],
    [
      'charges beyond the month',
      ["update campaigns set budget_monthly_micros = 200000, updated_at = '2026-03-01' where id = 'c5'"],
      ['budgets_respected'],
    ],
    [
      'a waiting click that nobody knows of',
      [
        `insert into waiting_clicks (interaction_id, partition, auction_id, position, deadline, interaction)
         select 'nobody', partition, 'a', 1, '2027-01-01', '{}' from consumer_offsets where topic = 'endcap.interactions.v1' limit 1`,
      ],
      ['billable_equal_charges'],
    ],
    [
      'charges beyond a limit that was in force',
      ["update campaigns set budget_daily_micros = 1000000, updated_at = '2026-03-01' where id = 'c2'"],
      ['budgets_respected'],
    ],
    [
      'a limit lowered below what was spent: allowed',
      ["update campaigns set budget_daily_micros = 1000000, updated_at = '2026-03-11' where id = 'c2'"],
      [],
    ],
    [
      'an invalid click that was billed',
      [
        "update charges set outcome = 'charged', reason = '' where id = (select min(id) from charges where reason = 'no_impression' and pricing = 'cpc')",
      ],
      ['charges_equal_report', 'billable_equal_charges'],
    ],
  ])('tells %s', async (_name, statements, names) => {
    expect(await failingAfter(...statements)).toEqual(names)
  })

  it('tells an event that ClickHouse lacks and one that it holds twice', async () => {
    const copy = (source: string) =>
      engine.clickhouse.command(
        `insert into interactions_v1 select * replace ('${source}' as source_batch) from interactions_v1 where event_id = 'c1'`,
      )
    await copy('by hand')
    expect(failing(await verify(deps()))).toEqual(['events_stored_once'])
    await engine.clickhouse.command(
      `alter table interactions_v1 delete where event_id = 'c1'`,
      {},
      { mutations_sync: '1' },
    )
    expect(failing(await verify(deps()))).toEqual(['events_stored_once', 'rollup_equals_raw'])
  })
})
