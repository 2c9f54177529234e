import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BUDGET_VIEW_KEY,
  BUDGET_VIEW_PUBLISHED_KEY,
  campaignBudgetView,
  createIdSource,
  WALLET_VIEW_KEY,
} from '@endcap/contracts'
import { createEmbeddedLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import type { Postgres } from '@endcap/platform/postgres'
import { createMemoryStateStore, type StateStore } from '@endcap/platform/state-store'
import { startTestPostgres, type TestPostgres } from '@endcap/storage/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createBillRecords } from '../billing/bill-records.js'
import { batchOf, impressionAndClick, recordsOf } from '../testing/billed.js'
import { deposit, seedCampaigns, seedMerchants, TOKEN_KEYS, until } from '../testing/marketplace.js'
import { createBudgetPublisher } from './budget-publisher.js'
import { createPublishBudgets } from './publish-budgets.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')

let database: TestPostgres
let postgres: Postgres
let state: StateStore
let nowMs: number
const clock = () => nowMs

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'endcap-budgets-'))
})
afterAll(async () => {
  await rm(dir, { recursive: true, force: true })
})

beforeEach(async () => {
  nowMs = NOON
  database = await startTestPostgres()
  postgres = database.postgres
  state = createMemoryStateStore({ clock })
  await seedMerchants(
    postgres,
    [
      { id: 'm1', depositMicros: 1_000_000n },
      { id: 'm2', timeZone: 'Pacific/Auckland', depositMicros: 1_000_000n },
    ],
    new Date(nowMs),
  )
  await seedCampaigns(
    postgres,
    [
      { id: 'c1', merchantId: 'm1' },
      { id: 'c2', merchantId: 'm2' },
    ],
    new Date(nowMs),
  )
})
afterEach(async () => {
  await state.close()
  await database.stop()
})

let offset = 0n
/** One charge of 0.25 to a campaign, made by billing itself. */
async function charge(campaignId: string, merchantId: string): Promise<void> {
  const events = impressionAndClick(`a${offset}`, { issuedAtMs: nowMs - 1000, campaignId, merchantId })
  const log = createEmbeddedLog({ dir, clock })
  await createBillRecords({ log, postgres, tokenKeys: TOKEN_KEYS, clock, ids: createIdSource() })(
    batchOf(recordsOf(events), Number(offset++)),
  )
  await log.close()
}
const viewOf = async (campaignId: string) => {
  const text = (await state.hashGetAll(BUDGET_VIEW_KEY)).get(campaignId)
  return text === undefined ? undefined : campaignBudgetView.parse(JSON.parse(text))
}
const walletOf = async (merchantId: string) => (await state.hashGetAll(WALLET_VIEW_KEY)).get(merchantId)

describe('the view of budgets and wallets', () => {
  it('shows a charge by the second publication after it, at the latest', async () => {
    const publisher = createBudgetPublisher({
      postgres,
      state,
      clock: () => Date.now(),
      logger: silentLogger(),
    })
    await publisher.start()
    await until(async () => (await walletOf('m1')) === '1000000', 'the wallets are published')
    nowMs = Date.now()
    await charge('c1', 'm1')
    for (let publications = 0; publications < 2; publications++) {
      const last = await state.get(BUDGET_VIEW_PUBLISHED_KEY)
      await until(async () => (await state.get(BUDGET_VIEW_PUBLISHED_KEY)) !== last, 'the next publication')
    }
    expect((await viewOf('c1'))?.spentTotal).toBe('250000')
    expect(await walletOf('m1')).toBe('750000')
    await publisher.stop()
  })

  it('shows what is spent today, on the day that the merchant has', async () => {
    await charge('c1', 'm1')
    await charge('c2', 'm2')
    const publish = createPublishBudgets({ postgres, state, clock })
    await publish()
    expect(await viewOf('c1')).toMatchObject({ day: '2026-03-10', spentDay: '250000', spentTotal: '250000' })
    expect(await viewOf('c2')).toMatchObject({ day: '2026-03-11', spentDay: '250000', spentTotal: '250000' })
    nowMs += 24 * 3_600_000
    await publish()
    expect(await viewOf('c1')).toMatchObject({ day: '2026-03-11', spentDay: '0', spentTotal: '250000' })
  })

  it('shows what is spent in the week and the month of the merchant’s day, and of no other', async () => {
    await postgres.query(
      `insert into spend_counters (campaign_id, period, merchant_id, spent_micros, updated_at)
       select 'c1', period, 'm1', micros, $1
       from (values ('week:2026-03-09', 30), ('week:2026-03-02', 1), ('month:2026-03', 70), ('month:2026-02', 2)) as v (period, micros)`,
      [new Date(nowMs)],
    )
    const publish = createPublishBudgets({ postgres, state, clock })
    await publish()
    expect(await viewOf('c1')).toMatchObject({ spentWeek: '30', spentMonth: '70' })
    nowMs = Date.parse('2026-03-16T12:00:00Z')
    await publish()
    expect(await viewOf('c1')).toMatchObject({ spentWeek: '0', spentMonth: '70' })
  })

  it('shows charges and deposits of each run, also those that commit later than they are stamped', async () => {
    const publish = createPublishBudgets({ postgres, state, clock })
    await publish()
    nowMs += 1_000
    await publish()
    const publishedAt = nowMs
    nowMs -= 5_000
    await charge('c1', 'm1')
    await deposit(postgres, [{ id: 'm2', depositMicros: 5n }], new Date(nowMs))
    nowMs = publishedAt + 500
    await publish()
    expect(await state.get(BUDGET_VIEW_PUBLISHED_KEY)).toBe(String(nowMs))
    expect(await viewOf('c1')).toMatchObject({ spentTotal: '250000' })
    expect([await walletOf('m1'), await walletOf('m2')]).toEqual(['750000', '1000005'])
  })

  it('comes back at once when the state store has forgotten everything', async () => {
    await charge('c1', 'm1')
    const publish = createPublishBudgets({ postgres, state, clock })
    await publish()
    for (const key of [BUDGET_VIEW_KEY, WALLET_VIEW_KEY, BUDGET_VIEW_PUBLISHED_KEY]) await state.delete(key)
    nowMs += 20_000
    await publish()
    expect(await viewOf('c1')).toMatchObject({ spentTotal: '250000' })
    expect(await state.get(BUDGET_VIEW_PUBLISHED_KEY)).toBe(String(nowMs))
  })

  it('heals a wrong value within 30 s', async () => {
    const publish = createPublishBudgets({ postgres, state, clock })
    await publish()
    await state.hashSet(WALLET_VIEW_KEY, { m1: '1' })
    nowMs += 29_999
    await publish()
    expect(await walletOf('m1')).toBe('1')
    nowMs += 1
    await publish()
    expect(await walletOf('m1')).toBe('1000000')
  })
})
