import type { Clawback, ReportAnswer } from '@endcap/contracts'
import { ledgerSums, walletsThatDisagree } from '@endcap/storage/postgres'
import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../testing/harness.js'
import { bookCharges, type TestCharge, waitingClawbacks } from '../testing/made-charges.js'
import { interaction, store } from '../testing/report-events.js'

let stored: TestClickHouse
let api: Harness
beforeAll(async () => {
  stored = await startTestClickHouse()
  api = await startHarness({ clickhouse: stored.clickhouse })
})
afterAll(async () => {
  await api.stop()
  await stored.close()
})

type Problem = { code: string; errors: { path: string }[] }
const post = <T>(path: string, body: unknown, headers = {}, key = api.operator) =>
  api.call<T & Problem>(key, 'POST', path, body, headers)
const deposit = (id: string, amount: string) =>
  post(`/v1/merchants/${id}/deposits`, { amount, reference: 'r' })
const balanceOf = async (id: string) =>
  (await api.call<{ balance: string }>(api.operator, 'GET', `/v1/merchants/${id}/wallet`)).body.balance
const ledgerOf = async (id: string) =>
  (
    await api.call<{ items: { kind: string; amount: string; reference: string }[] }>(
      await api.key(`merchant:${id}`),
      'GET',
      `/v1/merchants/${id}/ledger`,
    )
  ).body.items
const expectBooksToAgree = async () => {
  for (const { sumMicros } of await ledgerSums(api.postgres)) expect(sumMicros).toBe(0n)
  expect(await walletsThatDisagree(api.postgres)).toEqual([])
}
const accountSum = async (account: string, merchantKind: string) =>
  (
    await api.postgres.query<{ sum: string }>(
      'select coalesce(sum(amount_micros), 0)::text as sum from ledger_entries where account_id = $1 and kind = $2',
      [account, merchantKind],
    )
  ).rows[0]!.sum

let listings = 0
async function campaignOf(merchantId: string): Promise<string> {
  const [listing] = await api.listings(merchantId, `corrected-${++listings}`)
  const body = { merchantId, name: 'c', pricing: 'cpc', bid: '1', budget: {}, listings: [listing] }
  return (await post<{ id: string }>('/v1/campaigns', body)).body.id
}

describe('POST /v1/merchants/{id}/refunds', () => {
  it('201: pays back exactly the amount, and the ledger shows it', async () => {
    const id = await api.merchant()
    await deposit(id, '10')
    const made = await post<{ id: string }>(`/v1/merchants/${id}/refunds`, {
      amount: '3.000001',
      reference: 'bank 7',
    })
    expect(made).toMatchObject({
      status: 201,
      body: { merchantId: id, amount: '3.000001', balance: '6.999999', currency: 'EUR', reference: 'bank 7' },
    })
    expect((await ledgerOf(id))[0]).toMatchObject({
      kind: 'refund',
      amount: '-3.000001',
      reference: made.body.id,
    })
    await expectBooksToAgree()
  })

  it('409: never takes a wallet below zero, at any concurrency', async () => {
    const id = await api.merchant()
    await deposit(id, '10')
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        post(`/v1/merchants/${id}/refunds`, { amount: '1.5', reference: 'r' }),
      ),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(6)
    for (const { status, body } of answers.filter((answer) => answer.status !== 201)) {
      expect({ status, code: body.code, path: body.errors[0]!.path }).toEqual({
        status: 409,
        code: 'conflict',
        path: '/amount',
      })
    }
    expect(await balanceOf(id)).toBe('1')
    await expectBooksToAgree()
  })

  it('201: a repeated call with its Idempotency-Key pays once', async () => {
    const id = await api.merchant()
    await deposit(id, '10')
    const call = () =>
      post<{ id: string }>(
        `/v1/merchants/${id}/refunds`,
        { amount: '4', reference: 'r' },
        { 'idempotency-key': 'x' },
      )
    const answers = await Promise.all([call(), call(), call()])
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1)
    expect(await balanceOf(id)).toBe('6')
  })

  it('403, 404 and 422: only an operator, only a merchant that exists, only money', async () => {
    const id = await api.merchant()
    const own = await api.key(`merchant:${id}`)
    const body = { amount: '1', reference: 'r' }
    expect((await post(`/v1/merchants/${id}/refunds`, body, {}, own)).status).toBe(403)
    expect((await post('/v1/merchants/mer_none/refunds', body)).status).toBe(404)
    for (const [wrong, path] of [
      [{ ...body, amount: '0' }, '/amount'],
      [{ ...body, amount: 1 }, '/amount'],
      [{ amount: '1' }, '/reference'],
    ] as const) {
      const answer = await post(`/v1/merchants/${id}/refunds`, wrong)
      expect(answer, JSON.stringify(wrong)).toMatchObject({ status: 422, body: { errors: [{ path }] } })
    }
  })
})

describe('POST /v1/merchants/{id}/credits', () => {
  it('201: the marketing account pays what the wallet gains, with the reason', async () => {
    const id = await api.merchant()
    const made = await post<{ id: string }>(`/v1/merchants/${id}/credits`, {
      amount: '5',
      reason: 'an outage in January',
    })
    expect(made).toMatchObject({ status: 201, body: { balance: '5', reason: 'an outage in January' } })
    expect(await accountSum('marketing:EUR', 'credit')).toBe('-5000000')
    expect((await ledgerOf(id))[0]).toMatchObject({ kind: 'credit', amount: '5', reference: made.body.id })
    await expectBooksToAgree()
  })

  it('403, 404 and 422: only an operator, only a merchant that exists, never without a reason', async () => {
    const id = await api.merchant()
    const own = await api.key(`merchant:${id}`)
    const body = { amount: '5', reason: 'r' }
    expect((await post(`/v1/merchants/${id}/credits`, body, {}, own)).status).toBe(403)
    expect((await post('/v1/merchants/mer_none/credits', body)).status).toBe(404)
    expect(await post(`/v1/merchants/${id}/credits`, { amount: '5' })).toMatchObject({
      status: 422,
      body: { errors: [{ path: '/reason' }] },
    })
    expect(
      await post(`/v1/merchants/${id}/credits`, { ...body, amount: '1000000000000.000001' }),
    ).toMatchObject({
      status: 422,
      body: { errors: [{ path: '/amount' }] },
    })
    expect(await balanceOf(id)).toBe('0')
  })
})

describe('POST /v1/clawbacks', () => {
  const clawBack = (body: unknown, headers = {}, key = api.operator) =>
    post<Clawback>('/v1/clawbacks', body, headers, key)
  /** A merchant with 100 EUR and these charges, billed and reported. */
  async function charged(...charges: readonly Partial<TestCharge>[]) {
    const merchantId = await api.merchant()
    await deposit(merchantId, '100')
    const campaignId = await campaignOf(merchantId)
    const events = await bookCharges(
      api.postgres,
      charges.map((charge) => ({
        merchantId,
        campaignId,
        micros: 250_000n,
        at: '2026-01-05T10:00:00Z',
        ...charge,
      })),
    )
    await store(
      stored.clickhouse,
      events.flatMap((event) => [
        interaction(
          event.data.interactionType,
          event.occurredAt,
          { merchantId, campaignId, listingId: 'L1', searchTerm: event.data.searchTerm },
          { id: event.data.interactionId },
        ),
        event,
      ]),
    )
    return { merchantId, campaignId, ids: events.map(({ data }) => data.chargeId) }
  }
  const report = async (merchantId: string, dimensions: string[] = []) =>
    (
      await api.call<ReportAnswer>(api.operator, 'POST', '/v1/reports/query', {
        metrics: ['clicks', 'invalidClicks', 'invalidImpressions', 'spend'],
        dimensions,
        filters: { merchant: merchantId },
        from: '2026-01-01T00:00:00Z',
        to: '2026-02-01T00:00:00Z',
      })
    ).body.rows
  const counters = async (campaignId: string) =>
    Object.fromEntries(
      (
        await api.postgres.query<{ period: string; spent: bigint }>(
          'select period, spent_micros as spent from spend_counters where campaign_id = $1',
          [campaignId],
        )
      ).rows.map(({ period, spent }) => [period, spent]),
    )
  /** Brings what waits for the charges topic into the report store. */
  const relay = async () => {
    await store(stored.clickhouse, await waitingClawbacks(api.postgres))
    await api.postgres.query('delete from outbox')
  }

  it('201: gives the money back, frees the budgets of its day, week, month and total, and restates the day of the charge', async () => {
    const { merchantId, campaignId, ids } = await charged(
      { at: '2026-01-03T10:00:00Z', searchTerm: 'boots' },
      { at: '2026-01-05T10:00:00Z' },
      { at: '2026-01-05T10:00:00Z', micros: 333_333n },
    )
    const before = await report(merchantId, ['day', 'searchTerm'])
    expect(before).toEqual([
      {
        day: '2026-01-03',
        searchTerm: 'boots',
        clicks: 1,
        invalidClicks: 0,
        invalidImpressions: 0,
        spend: '0.25',
      },
      {
        day: '2026-01-05',
        searchTerm: 'shoes',
        clicks: 2,
        invalidClicks: 0,
        invalidImpressions: 0,
        spend: '0.583333',
      },
    ])
    const made = await clawBack({ reason: 'bot', charges: [ids[0], ids[2]] })
    expect(made).toMatchObject({
      status: 201,
      body: {
        reason: 'bot',
        dryRun: false,
        charges: 2,
        alreadyClawedBack: 0,
        campaigns: [{ merchantId, campaignId, currency: 'EUR', charges: 2, amount: '0.583333' }],
      },
    })
    expect(await balanceOf(merchantId)).toBe('99.75')
    expect(await counters(campaignId)).toEqual({
      total: 250_000n,
      '2026-01-03': 0n,
      '2026-01-05': 250_000n,
      'week:2025-12-29': 0n,
      'week:2026-01-05': 250_000n,
      'month:2026-01': 250_000n,
    })
    const entries = await ledgerOf(merchantId)
    expect(
      entries.filter(({ kind }) => kind === 'clawback').map(({ amount, reference }) => [amount, reference]),
    ).toEqual(
      expect.arrayContaining([
        ['0.25', ids[0]],
        ['0.333333', ids[2]],
      ]),
    )
    expect(await accountSum('refunds:EUR', 'clawback')).toBe('-583333')
    await relay()
    expect(await report(merchantId, ['day', 'searchTerm'])).toEqual([
      {
        day: '2026-01-03',
        searchTerm: 'boots',
        clicks: 1,
        invalidClicks: 1,
        invalidImpressions: 0,
        spend: '0',
      },
      {
        day: '2026-01-05',
        searchTerm: 'shoes',
        clicks: 2,
        invalidClicks: 1,
        invalidImpressions: 0,
        spend: '0.25',
      },
    ])
    await expectBooksToAgree()
  })

  it('201: an impression given back counts as an invalid impression, also one that cost nothing', async () => {
    const { merchantId, ids } = await charged(
      { of: 'impression', micros: 1_000n },
      { of: 'impression', micros: 0n },
    )
    expect((await clawBack({ reason: 'data_center', charges: ids })).body).toMatchObject({ charges: 2 })
    await relay()
    expect(await report(merchantId)).toEqual([
      { clicks: 0, invalidClicks: 0, invalidImpressions: 2, spend: '0' },
    ])
    expect(await balanceOf(merchantId)).toBe('100')
  })

  it('201: gives each charge back once, however many ask for it at the same time', async () => {
    const { merchantId, ids } = await charged(...Array.from({ length: 30 }, () => ({})))
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => clawBack({ reason: 'fraud', charges: ids.slice(n, n + 20) })),
    )
    for (const { status } of answers) expect(status).toBe(201)
    // Slices 0–19 to 7–26 hold 27 charges.
    expect(answers.reduce((sum, { body }) => sum + body.charges, 0)).toBe(27)
    expect(answers.reduce((sum, { body }) => sum + body.alreadyClawedBack, 0)).toBe(8 * 20 - 27)
    expect(await balanceOf(merchantId)).toBe('99.25')
    expect((await waitingClawbacks(api.postgres)).length).toBe(27)
    await relay()
    expect(await report(merchantId)).toMatchObject([{ clicks: 30, invalidClicks: 27, spend: '0.75' }])
    await expectBooksToAgree()
  })

  it("201: two wallets in opposite order do not stand in each other's way", async () => {
    const a = await charged(...Array.from({ length: 10 }, () => ({})))
    const b = await charged(...Array.from({ length: 10 }, () => ({})))
    const answers = await Promise.all(
      [[...a.ids, ...b.ids], [...b.ids, ...a.ids], [...a.ids, ...b.ids].reverse()].map((charges) =>
        clawBack({ reason: 'fraud', charges }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
    expect(answers.reduce((sum, { body }) => sum + body.charges, 0)).toBe(20)
    for (const { merchantId } of [a, b]) expect(await balanceOf(merchantId)).toBe('100')
    await relay()
  })

  it('200: a dry run says what would be given back, and gives nothing', async () => {
    const { merchantId, campaignId } = await charged(
      {},
      { at: '2026-01-05T11:00:00Z' },
      { at: '2026-01-05T12:00:00Z' },
    )
    const filter = { campaignId, from: '2026-01-05T10:30:00Z', to: '2026-01-05T12:00:00Z' }
    const dry = await clawBack({ reason: 'bot', filter, dryRun: true })
    expect(dry).toMatchObject({
      status: 200,
      body: {
        id: null,
        dryRun: true,
        charges: 1,
        campaigns: [{ campaignId, amount: '0.25' }],
        createdAt: null,
      },
    })
    expect(await balanceOf(merchantId)).toBe('99.25')
    const made = await clawBack({ reason: 'bot', filter })
    expect(made.body).toMatchObject({ dryRun: false, charges: 1 })
    expect((await clawBack({ reason: 'bot', filter })).body).toMatchObject({
      charges: 0,
      alreadyClawedBack: 1,
    })
    expect(await balanceOf(merchantId)).toBe('99.5')
    await relay()
  })

  it('201: finds the charges of one address by the interactions that came from it', async () => {
    const { merchantId, campaignId } = await charged(
      { interactionId: 'from-bot' },
      { interactionId: 'from-person' },
    )
    const slot = { merchantId, campaignId, listingId: 'L1' }
    const from = (id: string, addressHash: string) => {
      const event = interaction('click', '2026-01-05T10:00:00Z', slot, { id: `${id}-again` })
      return { ...event, id, data: { ...event.data, client: { addressHash, userAgent: '' } } }
    }
    await stored.clickhouse.command(
      `alter table interactions_v1 delete where event_id like 'from-%'`,
      {},
      { mutations_sync: '1' },
    )
    await store(stored.clickhouse, [from('from-bot', 'h1'), from('from-person', 'h2')])
    const period = { from: '2026-01-05T00:00:00Z', to: '2026-01-06T00:00:00Z' }
    const made = await clawBack({ reason: 'bot', filter: { addressHash: 'h1', ...period } })
    expect(made.body).toMatchObject({ charges: 1, campaigns: [{ campaignId, amount: '0.25' }] })
    expect((await ledgerOf(merchantId))[0]).toMatchObject({ kind: 'clawback' })
    expect((await clawBack({ reason: 'bot', filter: { addressHash: 'h9', ...period } })).body).toMatchObject({
      charges: 0,
    })
    await relay()
  })

  it('422: names each charge that cannot be given back, and gives none of the others', async () => {
    const { merchantId, ids } = await charged({}, { at: '2025-01-01T00:00:00Z' })
    const answer = await clawBack({ reason: 'bot', charges: [ids[0], 'chg_none', ids[1], ids[0]] })
    expect(answer).toMatchObject({
      status: 422,
      body: { errors: [{ path: '/charges/1' }, { path: '/charges/2' }, { path: '/charges/3' }] },
    })
    expect(await balanceOf(merchantId)).toBe('99.5')
  })

  it.each([
    [{ reason: 'bot' }, '/charges'],
    [{ reason: 'bot', charges: [] }, '/charges'],
    [{ reason: 'mood', charges: ['c'] }, '/reason'],
    [
      {
        reason: 'bot',
        charges: ['c'],
        filter: { campaignId: 'c', from: '2026-01-05T00:00:00Z', to: '2026-01-06T00:00:00Z' },
      },
      '/charges',
    ],
    [
      { reason: 'bot', filter: { from: '2026-01-05T00:00:00Z', to: '2026-01-06T00:00:00Z' } },
      '/filter/campaignId',
    ],
    [
      {
        reason: 'bot',
        filter: { campaignId: 'c', from: '2026-01-05T00:00:00Z', to: '2026-01-05T00:00:00Z' },
      },
      '/filter/to',
    ],
    [
      {
        reason: 'bot',
        filter: { campaignId: 'c', from: '2024-01-05T00:00:00Z', to: '2026-01-06T00:00:00Z' },
      },
      '/filter/from',
    ],
    [{ reason: 'bot', charges: ['c'], soon: true }, '/soon'],
  ])('422: %j is refused at %s', async (body, path) => {
    expect(await clawBack(body)).toMatchObject({ status: 422, body: { errors: [{ path }] } })
  })

  it('403: for anybody but an operator', async () => {
    const { merchantId, ids } = await charged({})
    const own = await api.key(`merchant:${merchantId}`)
    expect((await clawBack({ reason: 'bot', charges: ids }, {}, own)).status).toBe(403)
  })

  it('503: while the report store lacks the charge, and nothing is given back', async () => {
    const merchantId = await api.merchant()
    await deposit(merchantId, '100')
    const campaignId = await campaignOf(merchantId)
    const [event] = await bookCharges(api.postgres, [
      { merchantId, campaignId, micros: 250_000n, at: '2026-01-05T10:00:00Z' },
    ])
    const body = { reason: 'bot', charges: [event!.data.chargeId] }
    expect(await clawBack(body, { 'idempotency-key': 'later' })).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    })
    expect(await balanceOf(merchantId)).toBe('99.75')
    await store(stored.clickhouse, [event!])
    expect(await clawBack(body, { 'idempotency-key': 'later' })).toMatchObject({
      status: 201,
      body: { charges: 1 },
    })
    expect(await balanceOf(merchantId)).toBe('100')
    await relay()
  })
})

describe('GET /v1/merchants/{id}/ledger', () => {
  it("200: refers to a charge by its own id, and never shows another's API key", async () => {
    const merchantId = await api.merchant()
    await deposit(merchantId, '1')
    const campaignId = await campaignOf(merchantId)
    const [event] = await bookCharges(api.postgres, [
      { merchantId, campaignId, micros: 250_000n, at: '2026-01-05T10:00:00Z', interactionId: 'key_01:abc' },
    ])
    const entries = await ledgerOf(merchantId)
    expect(entries[0]).toMatchObject({ kind: 'charge', amount: '-0.25', reference: event!.data.chargeId })
    expect(JSON.stringify(entries)).not.toContain('key_')
  })
})
