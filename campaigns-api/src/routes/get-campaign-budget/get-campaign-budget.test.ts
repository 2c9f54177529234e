import type { CampaignBudget } from '@endcap/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../../testing/harness.js'

let api: Harness
beforeAll(async () => {
  api = await startHarness()
})
afterAll(() => api.stop())

let made = 0
async function campaign(fields: Record<string, unknown> = {}) {
  const merchantId = await api.merchant()
  const listings = await api.listings(merchantId, `L${++made}`)
  await api.call(api.operator, 'POST', `/v1/merchants/${merchantId}/deposits`, {
    amount: '50',
    reference: 'r',
  })
  const body = {
    merchantId,
    name: 'Winter',
    pricing: 'cpc',
    bid: '0.50',
    budget: { daily: '10', weekly: '40', total: '100' },
    pacing: 'even',
    status: 'active',
    listings,
    ...fields,
  }
  const { body: answer } = await api.call<{ id: string }>(api.operator, 'POST', '/v1/campaigns', body)
  return { id: answer.id, merchantId }
}
const budget = (id: string, key = api.operator) =>
  api.call<CampaignBudget>(key, 'GET', `/v1/campaigns/${id}/budget`)

async function spend(id: string, merchantId: string, periods: Record<string, bigint>): Promise<void> {
  await api.postgres.query(
    `insert into spend_counters (campaign_id, period, merchant_id, spent_micros, updated_at)
     select $1, period, $2, micros, now() from unnest($3::text[], $4::bigint[]) as s (period, micros)
     on conflict (campaign_id, period) do update set spent_micros = excluded.spent_micros`,
    [id, merchantId, Object.keys(periods), Object.values(periods)],
  )
}

async function paced(
  id: string,
  fields: { share: number; multiplier?: number; passThrough?: number; day?: string },
) {
  await api.postgres.query(
    `insert into pacing_states (campaign_id, day, share, allowance_micros, origin_share, origin_spent_micros, multiplier,
       pass_through, position_micros, rate_micros_per_second, stepped_at)
     values ($1, $2, $3, 10000000, 0, 0, $4, $5, 0, 0, now())
     on conflict (campaign_id) do update set share = excluded.share, multiplier = excluded.multiplier,
       pass_through = excluded.pass_through, day = excluded.day`,
    [id, fields.day ?? '2026-01-05', fields.share, fields.multiplier ?? 0.4, fields.passThrough ?? 1],
  )
}

describe('GET /v1/campaigns/{id}/budget', () => {
  it('200: before anything is spent or paced, the limits stand alone and nothing is forecast', async () => {
    const { id } = await campaign()
    const { status, body } = await budget(id)
    expect(status).toBe(200)
    expect(body).toEqual({
      campaignId: id,
      currency: 'EUR',
      day: '2026-01-05',
      limits: {
        day: { limit: '10', spent: '0', remaining: '10' },
        week: { limit: '40', spent: '0', remaining: '40' },
        month: { limit: null, spent: '0', remaining: null },
        total: { limit: '100', spent: '0', remaining: '100' },
      },
      wallet: { remaining: '50' },
      pacing: { mode: 'even', multiplier: null, passThrough: null, dayAllowance: null, dayShare: null },
      forecastDay: null,
      overDelivery: { day: '0', total: '0' },
      notServing: null,
    })
  })

  it('200: spent and remaining by limit, and a forecast by the share of the day’s traffic, held by the tightest limit', async () => {
    const { id, merchantId } = await campaign()
    await spend(id, merchantId, {
      '2026-01-05': 2_000_000n,
      'week:2026-01-05': 30_000_000n,
      'month:2026-01': 31_000_000n,
      total: 90_000_000n,
    })
    await paced(id, { share: 0.5 })
    expect((await budget(id)).body).toMatchObject({
      limits: {
        day: { spent: '2', remaining: '8' },
        week: { spent: '30', remaining: '10' },
        month: { spent: '31', remaining: null },
        total: { spent: '90', remaining: '10' },
      },
      pacing: { multiplier: 0.4, passThrough: 1, dayAllowance: '10', dayShare: 0.5 },
      forecastDay: '4',
      notServing: null,
    })
    await paced(id, { share: 0.1 })
    expect((await budget(id)).body.forecastDay).toBe('10')
    await paced(id, { share: 0.019 })
    expect((await budget(id)).body.forecastDay).toBeNull()
    await spend(id, merchantId, { 'week:2026-01-05': 41_000_000n })
    await paced(id, { share: 0.1 })
    expect((await budget(id)).body).toMatchObject({
      limits: { week: { remaining: '0' } },
      forecastDay: '2',
      notServing: 'budget_week_spent',
    })
  })

  it('200: pacing of another day says nothing of this one; pacing that lets next to nothing through says so', async () => {
    const { id } = await campaign()
    await paced(id, { share: 0.9, day: '2026-01-04', passThrough: 0.01 })
    expect((await budget(id)).body).toMatchObject({ pacing: { multiplier: null }, notServing: null })
    await paced(id, { share: 0.2, passThrough: 0.01 })
    expect((await budget(id)).body).toMatchObject({ pacing: { passThrough: 0.01 }, notServing: 'paced_out' })
  })

  it('200: what was given away beyond a limit is shown, and is no spend', async () => {
    const { id, merchantId } = await campaign()
    const charge = (n: number, reason: string, day: string) =>
      api.postgres.query(
        `insert into charges (id, interaction_id, interaction_type, auction_id, position, merchant_id, campaign_id, ad_id, listing_id,
           pricing, amount_micros, price_micros, currency, outcome, reason, budget_day, occurred_at, created_at)
         values ($1, $1, 'click', $1, 1, $2, $3, 'ad', 'L', 'cpc', 0, 250000, 'EUR', 'not_charged', $4, $5, now(), now())`,
        [`x${id}${n}`, merchantId, id, reason, day],
      )
    await charge(1, 'over_budget_day', '2026-01-05')
    await charge(2, 'over_wallet', '2026-01-04')
    await charge(3, 'repeat', '2026-01-05')
    expect((await budget(id)).body).toMatchObject({
      overDelivery: { day: '0.25', total: '0.5' },
      limits: { day: { spent: '0' } },
    })
  })

  it('200: a bid below every reserve that may apply is named', async () => {
    const rule = {
      name: 'r',
      placement: 'search',
      category: null,
      reserveMicros: '600000',
      reserveCpmMicros: '0',
    }
    const rules = {
      reserves: [rule],
      reserveMicros: '10000',
      reserveCpmMicros: '0',
      squashing: 1,
      maxPerMerchant: 2,
      relevanceFloor: 0,
      merchantFrequencyCap: null,
      blocked: { merchants: [], categories: [], terms: [] },
      version: 1,
    }
    await api.postgres.query(
      `insert into rules (id, state, version, updated_at) values ('rules', $1::jsonb, 1, now())`,
      [JSON.stringify(rules)],
    )
    const everywhere = await campaign()
    const search = await campaign({ placements: ['search'] })
    expect((await budget(everywhere.id)).body.notServing).toBeNull()
    expect((await budget(search.id)).body.notServing).toBe('bid_below_reserve')
    await api.postgres.query('delete from rules')
  })

  it('401 without a key, 403 without a merchant’s scope, 404 for another merchant’s or an unknown campaign', async () => {
    const { id, merchantId } = await campaign()
    expect((await api.app.inject({ method: 'GET', url: `/v1/campaigns/${id}/budget` })).statusCode).toBe(401)
    expect((await budget(id, await api.key('serve'))).status).toBe(403)
    expect((await budget(id, await api.key(`merchant:${await api.merchant()}`))).status).toBe(404)
    expect((await budget('cmp_none')).status).toBe(404)
    expect((await budget(id, await api.key(`merchant:${merchantId}`))).status).toBe(200)
  })
})
