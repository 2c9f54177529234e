import { type Harness, startHarness } from '@endcap/campaigns-api/testing'
import { type Clawback, formatMoney, parseMoney, type ReportAnswer, type Statement } from '@endcap/contracts'
import { verify } from '@endcap/pipeline'
import { impressionAndClick } from '@endcap/pipeline/testing/billed'
import { type Loop, startLoop } from '@endcap/pipeline/testing/loop'
import { DateTime } from 'luxon'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const PRICE = 250_000n
const AT_ONCE = 50

let loop: Loop
let api: Harness
beforeAll(async () => {
  // One clock for API, billing and log, moved by the tests, never back.
  loop = await startLoop({ clock: () => api.now })
  api = await startHarness({ postgres: loop.postgres, clickhouse: loop.clickhouse })
  await loop.start()
})
afterAll(async () => {
  await api.stop()
  await loop.stop()
})
/** Whatever a test did, everything that is counted twice agrees. */
afterEach(async () => {
  await loop.settled()
  const { checks } = await verify(loop.deps())
  expect(checks.filter(({ ok }) => !ok)).toEqual([])
})

type Problem = { code: string; errors: { path: string }[] }
const call = async <T>(method: 'GET' | 'POST' | 'PATCH' | 'PUT', url: string, body?: unknown, headers = {}) =>
  api.call<T & Problem>(api.operator, method, url, body, headers)
async function done<T>(method: 'GET' | 'POST' | 'PATCH' | 'PUT', url: string, body?: unknown): Promise<T> {
  const answer = await call<T>(method, url, body)
  if (answer.status >= 300)
    throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}
const deposit = (id: string, amount: string) =>
  done(`POST`, `/v1/merchants/${id}/deposits`, { amount, reference: 'r' })
const refund = (id: string, amount: string) =>
  done(`POST`, `/v1/merchants/${id}/refunds`, { amount, reference: 'r' })
const balanceOf = async (id: string) =>
  (await done<{ balance: string }>('GET', `/v1/merchants/${id}/wallet`)).balance

let made = 0
async function campaignOf(merchantId: string, budget: Readonly<Record<string, string>> = {}) {
  const listing = `audit-${++made}`
  await api.listings(merchantId, listing)
  const body = { merchantId, name: listing, pricing: 'cpc', bid: '1', budget, listings: [listing] }
  const { id } = await done<{ id: string }>('POST', '/v1/campaigns', body)
  await done('POST', `/v1/campaigns/${id}/activate`)
  return { id, listing }
}

let slots = 0
/** Slots of a campaign that are sold, seen and clicked now. Gives the reasons of the verdicts ('' for a charge) in order. */
async function clicks(merchantId: string, campaignId: string, count: number): Promise<string[]> {
  const sold = Array.from({ length: count }, () =>
    impressionAndClick(`audit-slot-${++slots}`, {
      issuedAtMs: api.now - 3000,
      merchantId,
      campaignId,
      priceMicros: PRICE,
    }),
  )
  await loop.append(sold.flat())
  return verdictsOn(sold.map(([, click]) => click.id))
}
async function verdictsOn(ids: readonly string[]): Promise<string[]> {
  await loop.settled()
  const { rows } = await loop.postgres.query<{ id: string; reason: string }>(
    'select interaction_id as id, reason from charges where interaction_id = any ($1)',
    [ids],
  )
  const reasons = new Map(rows.map(({ id, reason }) => [id, reason]))
  return ids.map((id) => reasons.get(id) ?? 'none')
}
const chargesOf = async (campaignId: string) =>
  (
    await loop.postgres.query<{ id: string }>(
      `select id from charges where campaign_id = $1 and outcome = 'charged' order by occurred_at, id`,
      [campaignId],
    )
  ).rows.map(({ id }) => id)
const clawBack = (body: unknown, headers = {}) => call<Clawback>('POST', '/v1/clawbacks', body, headers)
const times = <T>(count: number, of: T): T[] => Array.from({ length: count }, () => of)
const moveTo = (instant: string) => {
  api.now = Date.parse(instant)
}

describe('what was sold', () => {
  it('stays sold: a click is billed though campaign and listing were withdrawn after the slot was shown', async () => {
    moveTo('2026-02-01T10:00:00Z')
    const merchantId = await api.merchant()
    await deposit(merchantId, '10')
    const withdrawals: ((campaign: { id: string; listing: string }) => Promise<unknown>)[] = [
      ({ id }) => done('POST', `/v1/campaigns/${id}/pause`),
      ({ id }) => done('POST', `/v1/campaigns/${id}/archive`),
      ({ id }) => done('PATCH', `/v1/campaigns/${id}`, { bid: '0.01' }),
      ({ id }) => done('PATCH', `/v1/campaigns/${id}`, { endsAt: '2026-02-01T10:00:30Z' }),
      ({ listing }) =>
        done('PUT', '/v1/listings', {
          items: [
            {
              id: listing,
              merchantId,
              title: 'gone',
              url: 'https://shop.example/x',
              categories: ['shoes'],
              price: '1',
              currency: 'EUR',
              status: 'archived',
            },
          ],
        }),
    ]
    for (const withdraw of withdrawals) {
      const campaign = await campaignOf(merchantId)
      const [impression, click] = impressionAndClick(`withdrawn-${campaign.id}`, {
        issuedAtMs: api.now - 3000,
        merchantId,
        campaignId: campaign.id,
        priceMicros: PRICE,
      })
      await loop.append([impression])
      await withdraw(campaign)
      await loop.append([click])
      expect(await verdictsOn([click.id])).toEqual([''])
    }
    expect(await balanceOf(merchantId)).toBe('8.75')
  })
})

describe('a limit', () => {
  it("of a day follows the merchant to another time zone: each calendar day gets its own, whichever zone's", async () => {
    // Half past midnight on the 11th in Auckland; still the 10th, 4:30, in Los Angeles.
    moveTo('2026-03-10T11:30:00Z')
    const merchantId = await api.merchant({ timeZone: 'Pacific/Auckland' })
    await deposit(merchantId, '100')
    const { id } = await campaignOf(merchantId, { daily: '1', weekly: '2.5' })
    expect(await clicks(merchantId, id, 5)).toEqual([...times(4, ''), 'over_budget_day'])
    await done('PATCH', `/v1/merchants/${merchantId}`, { timeZone: 'America/Los_Angeles' })
    expect(await clicks(merchantId, id, 5)).toEqual([...times(4, ''), 'over_budget_day'])
    // Midnight in Los Angeles: the 11th, which was spent in Auckland's time.
    moveTo('2026-03-11T07:00:10Z')
    expect(await clicks(merchantId, id, 1)).toEqual(['over_budget_day'])
    moveTo('2026-03-12T07:00:10Z')
    expect(await clicks(merchantId, id, 3)).toEqual(['', '', 'over_budget_week'])
  })

  it('that is lowered below what is spent stops; a clawback frees no more than it leaves below the limit', async () => {
    moveTo('2026-03-15T10:00:00Z')
    const merchantId = await api.merchant()
    await deposit(merchantId, '100')
    const { id } = await campaignOf(merchantId, { total: '2' })
    expect(await clicks(merchantId, id, 6)).toEqual(times(6, ''))
    await done('PATCH', `/v1/campaigns/${id}`, { budget: { total: '1' } })
    expect(await clicks(merchantId, id, 1)).toEqual(['over_budget_total'])
    const [first, second, third] = await chargesOf(id)
    expect((await clawBack({ reason: 'bot', charges: [first, second] })).status).toBe(201)
    // 1.00 of 1.00 is spent.
    expect(await clicks(merchantId, id, 1)).toEqual(['over_budget_total'])
    expect((await clawBack({ reason: 'bot', charges: [third] })).status).toBe(201)
    expect(await clicks(merchantId, id, 2)).toEqual(['', 'over_budget_total'])
    await done('PATCH', `/v1/campaigns/${id}`, { budget: { total: '1.5' } })
    expect(await clicks(merchantId, id, 3)).toEqual(['', '', 'over_budget_total'])
    expect(await balanceOf(merchantId)).toBe('98.5')
  })
})

describe('a clawback', () => {
  it('after the wallet was paid out comes back into it, once, and can be paid out again', async () => {
    moveTo('2026-03-16T10:00:00Z')
    const merchantId = await api.merchant()
    await deposit(merchantId, '1')
    const { id } = await campaignOf(merchantId)
    expect(await clicks(merchantId, id, 2)).toEqual(['', ''])
    await refund(merchantId, '0.5')
    const charges = await chargesOf(id)
    expect((await clawBack({ reason: 'fraud', charges })).body).toMatchObject({
      charges: 2,
      alreadyClawedBack: 0,
    })
    expect((await clawBack({ reason: 'bot', charges })).body).toMatchObject({
      charges: 0,
      alreadyClawedBack: 2,
    })
    expect(await balanceOf(merchantId)).toBe('0.5')
    const more = await call('POST', `/v1/merchants/${merchantId}/refunds`, {
      amount: '0.500001',
      reference: 'r',
    })
    expect(more).toMatchObject({ status: 409, body: { errors: [{ path: '/amount' }] } })
    await refund(merchantId, '0.5')
    // A charge given back leaves its slot judged: the same slot is not charged again.
    const again = `audit-slot-${slots}`
    const [impression, click] = impressionAndClick(again, {
      issuedAtMs: api.now - 3000,
      merchantId,
      campaignId: id,
      priceMicros: PRICE,
    })
    await loop.append([
      { ...impression, id: 'clawed-i' },
      { ...click, id: 'clawed-c' },
    ])
    expect(await verdictsOn(['clawed-c'])).toEqual(['repeat'])
  })

  it('of today, racing with charges on budget and wallet, never lets more stand than the budget', async () => {
    moveTo('2026-03-17T10:00:00Z')
    const merchantId = await api.merchant()
    await deposit(merchantId, '4')
    const { id } = await campaignOf(merchantId, { daily: '2.5' })
    expect(await clicks(merchantId, id, 10)).toEqual(times(10, ''))
    const given = await chargesOf(id)
    const sold = Array.from({ length: 40 }, () =>
      impressionAndClick(`audit-slot-${++slots}`, {
        issuedAtMs: api.now - 3000,
        merchantId,
        campaignId: id,
        priceMicros: PRICE,
      }),
    )
    await Promise.all([
      ...sold.map((events) => loop.append(events)),
      ...given.slice(0, 6).map((charge) => clawBack({ reason: 'fraud', charges: [charge] })),
      clawBack({ reason: 'fraud', charges: given.slice(3, 8) }),
    ])
    await loop.settled()
    const { rows } = await loop.postgres.query<{ spent: string }>(
      `select (sum(c.amount_micros) - coalesce(sum(b.amount_micros), 0))::text as spent
       from charges c left join clawed_back_charges b on b.charge_id = c.id where c.campaign_id = $1`,
      [id],
    )
    expect(BigInt(rows[0]!.spent)).toBeLessThanOrEqual(10n * PRICE)
    // What was freed before the last click was judged may be spent; the rest is still there.
    const left = Number((10n * PRICE - BigInt(rows[0]!.spent)) / PRICE)
    expect(await clicks(merchantId, id, left + 1)).toEqual([...times(left, ''), 'over_budget_day'])
    expect(await balanceOf(merchantId)).toBe('1.5')
  })

  it('restates the report of the day of the charge, and nothing of the day on which it came back', async () => {
    moveTo('2026-03-18T22:30:00Z')
    const merchantId = await api.merchant()
    await deposit(merchantId, '10')
    const { id } = await campaignOf(merchantId)
    await clicks(merchantId, id, 3)
    const report = async () => {
      const { rows } = await done<ReportAnswer>('POST', '/v1/reports/query', {
        metrics: ['clicks', 'invalidClicks', 'spend', 'cpc'],
        dimensions: ['day'],
        filters: { merchant: merchantId },
        from: '2026-03-17T23:00:00Z',
        to: '2026-03-19T23:00:00Z',
        timeZone: 'Europe/Berlin',
      })
      return rows
    }
    // 23:30 in Berlin.
    expect(await report()).toEqual([
      { day: '2026-03-18', clicks: 3, invalidClicks: 0, spend: '0.75', cpc: '0.25' },
    ])
    moveTo('2026-03-19T10:00:00Z')
    const [first] = await chargesOf(id)
    await clawBack({ reason: 'bot', charges: [first] })
    await loop.settled()
    expect(await report()).toEqual([
      { day: '2026-03-18', clicks: 3, invalidClicks: 1, spend: '0.5', cpc: '0.25' },
    ])
  })
})

describe('each call that moves money', () => {
  it(`moves it once, though it comes ${AT_ONCE} times at once under one key; another body under it is refused`, async () => {
    moveTo('2026-03-20T10:00:00Z')
    const merchantId = await api.merchant()
    await deposit(merchantId, '100')
    const { id } = await campaignOf(merchantId)
    await clicks(merchantId, id, 2)
    const [charge, other] = await chargesOf(id)
    const path = (name: string) => `/v1/merchants/${merchantId}/${name}`
    const cases: [string, unknown, unknown, bigint][] = [
      [path('deposits'), { amount: '7.000001', reference: 'r' }, { amount: '7', reference: 'r' }, 7_000_001n],
      [path('refunds'), { amount: '60', reference: 'r' }, { amount: '61', reference: 'r' }, -60_000_000n],
      [path('credits'), { amount: '0.000001', reason: 'r' }, { amount: '1', reason: 'r' }, 1n],
      ['/v1/clawbacks', { reason: 'bot', charges: [charge] }, { reason: 'bot', charges: [other] }, PRICE],
    ]
    for (const [url, body, different, moves] of cases) {
      const before = parseMoney(await balanceOf(merchantId))
      const headers = { 'idempotency-key': 'the same for all' }
      const answers = await Promise.all(
        Array.from({ length: AT_ONCE }, () => call(`POST`, url, body, headers)),
      )
      expect(new Set(answers.map(({ status }) => status)), url).toEqual(new Set([201]))
      expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size, url).toBe(1)
      expect(parseMoney(await balanceOf(merchantId)) - before, url).toBe(moves)
      expect(await call('POST', url, different, headers)).toMatchObject({
        status: 409,
        body: { code: 'idempotency_conflict' },
      })
      expect(parseMoney(await balanceOf(merchantId)) - before, url).toBe(moves)
    }
  })
})

type Part = { readonly amount: string }

describe('statements', () => {
  it("add up to the ledger over the borders of months in the merchant's zone, whatever was booked around them", async () => {
    const zone = 'Pacific/Auckland'
    moveTo('2026-03-28T10:00:00Z')
    const merchantId = await api.merchant({ timeZone: zone })
    const { id } = await campaignOf(merchantId)
    // The last and the first millisecond of months in Auckland: 13 hours ahead in March, 12 after the clocks went back in April.
    const moments = [
      '2026-03-31T10:59:59.999Z',
      '2026-03-31T11:00:00.000Z',
      '2026-04-30T11:59:59.999Z',
      '2026-04-30T12:00:00.000Z',
      '2026-05-02T12:00:00.000Z',
    ]
    for (const moment of moments) {
      moveTo(moment)
      await deposit(merchantId, '10')
      await clicks(merchantId, id, 2)
      const [oldest] = await loop.postgres
        .query<{ id: string }>(
          `select c.id from charges c where campaign_id = $1 and outcome = 'charged'
             and not exists (select 1 from clawed_back_charges b where b.charge_id = c.id) order by occurred_at, id limit 1`,
          [id],
        )
        .then(({ rows }) => rows)
      expect((await clawBack({ reason: 'other', charges: [oldest!.id] })).body.charges).toBe(1)
      await done('POST', `/v1/merchants/${merchantId}/credits`, { amount: '0.000001', reason: 'goodwill' })
      await refund(merchantId, '3.333333')
    }
    moveTo('2026-06-02T00:00:00Z')
    const months = await done<{ items: { month: string; preliminary: boolean }[] }>(
      'GET',
      `/v1/merchants/${merchantId}/statements`,
    )
    const names = months.items.map(({ month }) => month).sort()
    expect(names.slice(0, 3)).toEqual(['2026-03', '2026-04', '2026-05'])

    // The ledger by month of booking, counted by another hand.
    const { rows } = await loop.postgres.query<{ kind: string; micros: bigint; at: Date }>(
      `select kind, amount_micros as micros, created_at as at from ledger_entries where account_id = $1`,
      [`wallet:${merchantId}`],
    )
    const expected = new Map<string, bigint>()
    for (const { kind, micros, at } of rows) {
      const key = `${DateTime.fromJSDate(at, { zone }).toFormat('yyyy-MM')} ${kind}`
      expected.set(key, (expected.get(key) ?? 0n) + micros)
    }
    let opening = 0n
    const seen = new Map<string, bigint>()
    for (const month of names) {
      const statement = await done<Statement>('GET', `/v1/merchants/${merchantId}/statements/${month}`)
      expect(statement.openingBalance, month).toBe(formatMoney(opening))
      for (const section of ['deposits', 'charges', 'refunds', 'credits', 'clawbacks'] as const) {
        const amount = parseMoney(statement[section].amount)
        const { items = [], campaigns = [] }: { items?: Part[]; campaigns?: Part[] } = statement[section]
        const parts = [...items, ...campaigns].map((part) => parseMoney(part.amount))
        expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(amount)
        opening += amount
        if (amount !== 0n) seen.set(`${month} ${section.slice(0, -1)}`, amount)
      }
      expect(statement.closingBalance, month).toBe(formatMoney(opening))
    }
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected))
    expect(await balanceOf(merchantId)).toBe(formatMoney(opening))
  })
})
