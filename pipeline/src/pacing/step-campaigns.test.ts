import {
  type AuctionEvent,
  IN_FLIGHT_KEY,
  newEvent,
  PACING_VIEW_KEY,
  pacingView,
  STARTING_MULTIPLIER,
} from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { createMemoryStateStore, type StateStore } from '@endcap/platform/state-store'
import { auctionsTable } from '@endcap/storage/clickhouse'
import {
  startTestClickHouse,
  startTestPostgres,
  type TestClickHouse,
  type TestPostgres,
} from '@endcap/storage/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { seedCampaigns, seedMerchants, until } from '../testing/marketplace.js'
import { STEP_MS } from './domain/controller.js'
import { createPacing } from './pacing.js'
import { createStepCampaigns } from './step-campaigns.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const BUDGET = 10_000_000n

let engine: TestClickHouse
let database: TestPostgres
let state: StateStore
let nowMs: number

beforeAll(async () => {
  engine = await startTestClickHouse()
})
afterAll(async () => {
  await engine.close()
})
beforeEach(async () => {
  nowMs = NOON
  database = await startTestPostgres()
  state = createMemoryStateStore({ clock: () => nowMs })
  await seedMerchants(database.postgres, [{ id: 'm1', depositMicros: 100_000_000n }], new Date(nowMs))
  const budgetDailyMicros = BUDGET
  await seedCampaigns(
    database.postgres,
    [
      { id: 'c1', merchantId: 'm1', budgetDailyMicros },
      { id: 'asap', merchantId: 'm1', budgetDailyMicros },
      { id: 'paused', merchantId: 'm1', budgetDailyMicros },
      { id: 'endless', merchantId: 'm1', budgetTotalMicros: BUDGET },
    ],
    new Date(nowMs),
  )
  await change(`pacing = 'even'`, 'c1')
  await change(`pacing = 'even'`, 'endless')
  await change(`pacing = 'even', status = 'paused'`, 'paused')
})
afterEach(async () => {
  await state.close()
  await database.stop()
})

const change = (set: string, id: string) =>
  database.postgres.query(`update campaigns set ${set} where id = $1`, [id])
const createStep = (clickhouse: Pick<ClickHouse, 'query'> = engine.clickhouse) =>
  createStepCampaigns({
    postgres: database.postgres,
    clickhouse,
    state,
    clock: () => nowMs,
    logger: silentLogger(),
  })
const spend = (micros: bigint, day = '2026-03-10') =>
  database.postgres.query(
    `insert into spend_counters (campaign_id, period, merchant_id, spent_micros, updated_at) values ('c1', $1, 'm1', $2, now())
     on conflict (campaign_id, period) do update set spent_micros = excluded.spent_micros`,
    [day, micros],
  )
const viewOf = async (id: string) => {
  const text = (await state.hashGetAll(PACING_VIEW_KEY)).get(id)
  return text === undefined ? undefined : pacingView.parse(JSON.parse(text))
}
const hold = (process: string, sequence: number, micros: bigint) =>
  state.hashSet(IN_FLIGHT_KEY, {
    [process]: JSON.stringify({ sequence, campaigns: { c1: micros.toString() }, merchants: {} }),
  })

describe('a step over all campaigns', () => {
  it('publishes multiplier and gate of active campaigns with even pacing, and takes back the others', async () => {
    await state.hashSet(PACING_VIEW_KEY, { gone: JSON.stringify({ multiplier: 0.5, passThrough: 1 }) })
    await createStep()()
    expect([...(await state.hashGetAll(PACING_VIEW_KEY)).keys()].sort()).toEqual(['c1', 'endless'])
    expect(await viewOf('c1')).toEqual({ multiplier: STARTING_MULTIPLIER, passThrough: 1 })
    expect(await viewOf('endless')).toEqual({ multiplier: 1, passThrough: 1 })
    await change(`pacing = 'asap'`, 'c1')
    await createStep()()
    expect(await viewOf('c1')).toBeUndefined()
  })

  it('goes on after a restart where it was, and comes back at once in an emptied store', async () => {
    const step = createStep()
    for (let i = 0; i < 60; i++) {
      await step()
      nowMs += STEP_MS
    }
    const before = (await viewOf('c1'))!.multiplier
    expect(before).toBeGreaterThan(STARTING_MULTIPLIER)
    await state.delete(PACING_VIEW_KEY)
    await createStep()()
    const after = (await viewOf('c1'))!.multiplier
    expect(after).toBeGreaterThanOrEqual(before)
    expect(after).toBeLessThanOrEqual(before + 0.025)
  })

  it('is taken once in ten seconds, however many processes take turns', async () => {
    await createStep()()
    nowMs += 600_000
    const moved = (await createStep()()).find(({ campaignId }) => campaignId === 'c1')!
    nowMs += STEP_MS / 2
    const again = (await createStep()()).find(({ campaignId }) => campaignId === 'c1')!
    expect(again.multiplier).toBe(moved.multiplier)
    expect(moved.multiplier).toBeGreaterThan(STARTING_MULTIPLIER)
  })

  it('counts spend in flight over all ad-servers, and none of a process that stands still', async () => {
    const step = createStep()
    const positionAfter = async () =>
      (await step()).find(({ campaignId }) => campaignId === 'c1')!.positionMicros
    await spend(1_000n)
    await hold('a', 1, 200n)
    await hold('b', 1, 30n)
    expect(await positionAfter()).toBe(1_230n)
    nowMs += STEP_MS
    await hold('a', 2, 200n)
    expect(await positionAfter()).toBe(1_200n)
  })

  it('lowers the bid of a campaign that is ahead, and freezes when its money is gone', async () => {
    const step = createStep()
    await step()
    nowMs += 60_000
    await spend(BUDGET / 2n)
    await step()
    const lowered = (await viewOf('c1'))!
    expect(lowered.multiplier).toBeLessThan(STARTING_MULTIPLIER)
    nowMs += STEP_MS
    await spend(BUDGET)
    await step()
    expect(await viewOf('c1')).toEqual(lowered)
  })

  it('does not lower a bid beneath the reserve: there the gate closes', async () => {
    await change('bid_micros = 20000', 'c1')
    await spend(BUDGET / 2n)
    const step = createStep()
    await step()
    await spend(BUDGET - 1n)
    for (let i = 0; i < 3; i++) {
      nowMs += STEP_MS
      await step()
    }
    const { multiplier, passThrough } = (await viewOf('c1'))!
    expect(multiplier).toBe(0.5)
    expect(passThrough).toBeLessThan(1)
  })

  it('learns traffic from the log, and is flat while ClickHouse is away', async () => {
    const auctions = ['2026-03-08', '2026-03-09'].flatMap((day) =>
      Array.from({ length: 100 }, (_, n) => auctionAt(`${day}T20:0${n % 10}:00Z`, `${day}-${n}`)),
    )
    await engine.clickhouse.insert(
      auctionsTable,
      auctions.map((event) => ({ event, batch: 'b' })),
      { token: 'traffic' },
    )
    const shareOf = async (clickhouse?: Pick<ClickHouse, 'query'>) =>
      (await createStep(clickhouse)()).find(({ campaignId }) => campaignId === 'c1')!.share
    expect(await shareOf()).toBeLessThan(0.1)
    expect(await shareOf({ query: () => Promise.reject(new Error('away')) })).toBeCloseTo(0.5, 10)
  })
})

it('the job steps by itself and tells what was given away', async () => {
  await database.postgres.query(
    `insert into charges (id, interaction_id, interaction_type, auction_id, position, merchant_id, campaign_id, ad_id, listing_id,
       pricing, amount_micros, price_micros, currency, outcome, reason, budget_day, occurred_at, created_at)
     values ('x', 'x', 'click', 'a', 1, 'm1', 'c1', 'ad', 'L', 'cpc', 0, 250000, 'EUR', 'not_charged', 'over_budget_day',
       '2026-03-10', $1, $1)`,
    [new Date(nowMs)],
  )
  const registry = createMetrics({ service: 'test' })
  const job = createPacing({
    postgres: database.postgres,
    clickhouse: engine.clickhouse,
    state,
    clock: () => nowMs,
    logger: silentLogger(),
    registry,
  })
  await job.start()
  await until(
    async () => (await registry.metrics()).includes('endcap_over_delivery_micros{currency="EUR"'),
    'over-delivery is told',
  )
  await job.stop()
  expect(await registry.metrics()).toMatch(
    /endcap_over_delivery_micros\{currency="EUR",service="test"\} 250000/,
  )
  expect(await registry.metrics()).toMatch(/endcap_pacing_campaigns\{hold="bid",service="test"\} 1/)
})

function auctionAt(occurredAt: string, id: string): AuctionEvent {
  return newEvent('auction', {
    id,
    occurredAtMs: Date.parse(occurredAt),
    source: 'test',
    key: id,
    data: {
      auctionId: id,
      requestId: id,
      placement: 'search',
      query: '',
      searchTerm: '',
      categories: [],
      device: 'mobile',
      customerHash: '',
      sessionHash: '',
      location: null,
      modelVersion: '',
      degraded: [],
      terms: null,
      candidates: [],
      featureSet: '',
      features: '',
      drops: {},
    },
  })
}
