import { formatMoney, type Micros, monthBounds, monthOf, parseMoney, type Statement } from '@endcap/contracts'
import { postLedger } from '@endcap/storage/postgres'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../testing/harness.js'
import { bookCharges } from '../testing/made-charges.js'

let api: Harness
beforeAll(async () => {
  api = await startHarness()
})
afterAll(() => api.stop())

const at = (instant: string) => {
  api.now = Date.parse(instant)
}
const post = async (path: string, body: unknown) => {
  const answer = await api.call<{ id: string }>(api.operator, 'POST', path, body)
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body.id
}
const statementOf = (id: string, month: string, headers = {}, key = api.operator) =>
  api.call<Statement>(key, 'GET', `/v1/merchants/${id}/statements/${month}`, undefined, headers)

let listings = 0
async function campaignOf(merchantId: string, name: string): Promise<string> {
  const [listing] = await api.listings(merchantId, `stated-${++listings}`)
  return post('/v1/campaigns', {
    merchantId,
    name,
    pricing: 'cpc',
    bid: '1',
    budget: {},
    listings: [listing],
  })
}
/** Gives charges back in the ledger, as the clawbacks API does. */
const clawBack = (merchantId: string, chargeId: string, micros: Micros, when: Date) =>
  api.postgres.transaction((tx) =>
    postLedger(
      tx,
      [
        {
          transactionId: `claw:${chargeId}`,
          kind: 'clawback',
          currency: 'EUR',
          occurredAt: when,
          reference: chargeId,
          entries: [
            { account: { kind: 'wallet', merchantId, currency: 'EUR' }, amountMicros: micros },
            { account: { kind: 'refunds', currency: 'EUR' }, amountMicros: -micros },
          ],
        },
      ],
      when,
    ),
  )

/** January 2026 of a merchant in Berlin: everything that a statement can hold, with entries on both edges of the month. */
async function january(name = 'Acme') {
  at('2025-12-31T22:59:59.999Z')
  const id = await api.merchant({ name })
  const campaignId = await campaignOf(id, `Winter ${name}`)
  await post(`/v1/merchants/${id}/deposits`, { amount: '100', reference: 'last of December' })
  at('2025-12-31T23:00:00Z')
  const depositId = await post(`/v1/merchants/${id}/deposits`, {
    amount: '20',
    reference: 'first of January',
  })
  const events = await bookCharges(api.postgres, [
    { merchantId: id, campaignId, micros: 250_001n, at: '2026-01-10T12:00:00Z' },
    { merchantId: id, campaignId, micros: 333_333n, at: '2026-01-31T22:59:59.999Z' },
    { merchantId: id, campaignId, micros: 1_000n, at: '2026-01-11T12:00:00Z', of: 'impression' },
    { merchantId: id, campaignId, micros: 777_777n, at: '2026-01-31T23:00:00Z' },
  ])
  await clawBack(id, events[0]!.data.chargeId, 250_001n, new Date('2026-01-20T00:00:00Z'))
  at('2026-01-15T12:00:00Z')
  await post(`/v1/merchants/${id}/credits`, { amount: '5', reason: '=sorry <b>' })
  await post(`/v1/merchants/${id}/refunds`, { amount: '7.5', reference: 'bank' })
  return { id, campaignId, depositId, chargeId: events[0]!.data.chargeId }
}

describe('GET /v1/merchants/{id}/statements/{month}', () => {
  it("200: holds what was booked in the month of the merchant's own calendar, and adds up", async () => {
    const { id, campaignId, depositId } = await january()
    at('2026-02-10T00:00:00Z')
    const { status, body } = await statementOf(id, '2026-01', {}, await api.key(`merchant:${id}`))
    expect(status).toBe(200)
    expect(body).toEqual({
      merchant: { id, name: 'Acme' },
      month: '2026-01',
      currency: 'EUR',
      timeZone: 'Europe/Berlin',
      from: '2026-01-01T00:00:00+01:00',
      to: '2026-02-01T00:00:00+01:00',
      preliminary: false,
      openingBalance: '100',
      deposits: {
        amount: '20',
        items: [
          { id: depositId, amount: '20', note: 'first of January', bookedAt: '2026-01-01T00:00:00+01:00' },
        ],
      },
      charges: {
        amount: '-0.584334',
        campaigns: [{ id: campaignId, name: 'Winter Acme', clicks: 2, impressions: 1, amount: '-0.584334' }],
      },
      refunds: {
        amount: '-7.5',
        items: [
          expect.objectContaining({ amount: '-7.5', note: 'bank', bookedAt: '2026-01-15T13:00:00+01:00' }),
        ],
      },
      credits: { amount: '5', items: [expect.objectContaining({ amount: '5', note: '=sorry <b>' })] },
      clawbacks: {
        amount: '0.250001',
        campaigns: [{ id: campaignId, name: 'Winter Acme', clicks: 1, impressions: 0, amount: '0.250001' }],
      },
      closingBalance: '117.165667',
    })
    expect((await statementOf(id, '2026-02')).body).toMatchObject({
      openingBalance: '117.165667',
      charges: { amount: '-0.777777' },
      closingBalance: '116.38789',
      preliminary: true,
    })
  })

  it('200: CSV has one line an item, no cell runs as a formula, and the amounts add up', async () => {
    const { id } = await january('=Acme')
    at('2026-02-10T00:00:00Z')
    const answer = await statementOf(id, '2026-01', { accept: 'text/csv' })
    expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8')
    const lines = String(answer.body)
      .trimEnd()
      .split('\r\n')
      .map((line) => line.split(','))
    expect(lines[0]).toEqual([
      'section',
      'id',
      'description',
      'bookedAt',
      'clicks',
      'impressions',
      'amount',
      'currency',
    ])
    expect(lines.map(([section]) => section).slice(1)).toEqual([
      'opening balance',
      'deposits',
      'goodwill credits',
      'refunds',
      'charges',
      'clawbacks',
      'closing balance',
    ])
    expect(lines.find(([section]) => section === 'goodwill credits')![2]).toBe("'=sorry <b>")
    const amounts = lines.slice(1).map((cells) => parseMoney(cells[6]!))
    expect(amounts.slice(0, -1).reduce((sum, amount) => sum + amount, 0n)).toBe(amounts.at(-1))
  })

  it('200: the page to print runs nothing, loads nothing, and shows text as text', async () => {
    const { id } = await january('<script>alert(1)</script> & "Söhne"')
    at('2026-01-20T00:00:00Z')
    const answer = await statementOf(id, '2026-01', { accept: 'text/html,*/*;q=0.8' })
    const html = String(answer.body)
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Söhne&quot;')
    expect(html).toContain('=sorry &lt;b&gt;')
    expect(html).not.toMatch(/<script|<b>|https?:|\bsrc=|\bon\w+=/)
    expect(html).toContain('@media print')
    expect(html).toContain('Preliminary')
    expect(html).toContain('<td>-7.5</td>')
  })

  it('200: a month is preliminary until what was decided in it is booked', async () => {
    at('2026-01-15T00:00:00Z')
    const id = await api.merchant()
    const preliminary = async (instant: string) => {
      at(instant)
      return (await statementOf(id, '2026-01')).body.preliminary
    }
    expect(await preliminary('2026-01-31T22:59:59Z')).toBe(true)
    expect(await preliminary('2026-01-31T23:59:59Z')).toBe(true)
    expect(await preliminary('2026-02-01T00:00:00Z')).toBe(false)
  })

  it('404: before the merchant was there, in the future, and for somebody else; 422: for what is no month', async () => {
    at('2026-01-15T00:00:00Z')
    const id = await api.merchant()
    for (const month of ['2025-12', '2026-02', '2999-12'])
      expect((await statementOf(id, month)).status, month).toBe(404)
    const other = await api.key(`merchant:${await api.merchant()}`)
    expect((await statementOf(id, '2026-01', {}, other)).status).toBe(404)
    for (const month of ['2026-13', '2026-00', '2026-1', 'now', '0000-01'])
      expect(await statementOf(id, month), month).toMatchObject({
        status: 422,
        body: { errors: [{ path: ':month' }] },
      })
  })

  it('add up to the ledger to the micro, month after month, whatever was booked when', async () => {
    at('2025-10-01T12:00:00Z')
    const first = Date.parse('2025-10-02T00:00:00Z')
    const last = Date.parse('2026-02-27T00:00:00Z')
    const booking = fc.record({
      kind: fc.constantFrom('deposit', 'credit', 'charge', 'clawback', 'refund' as const),
      micros: fc.bigInt(1n, 10n ** 12n),
      atMs: fc.integer({ min: first, max: last }),
    })
    const zone = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Pacific/Kiritimati', 'Asia/Kathmandu')
    await fc.assert(
      fc.asyncProperty(
        zone,
        fc.array(booking, { minLength: 1, maxLength: 25 }),
        async (timeZone, bookings) => {
          at('2025-10-01T12:00:00Z')
          const id = await api.merchant({ timeZone })
          let balance = 0n
          const booked: { micros: Micros; atMs: number }[] = []
          for (const { kind, micros, atMs } of [...bookings].sort((a, b) => a.atMs - b.atMs)) {
            const leaves = kind === 'charge' || kind === 'refund'
            const signed = leaves ? -(micros > balance ? balance : micros) : micros
            if (signed === 0n) continue
            balance += signed
            booked.push({ micros: signed, atMs })
            await api.postgres.transaction((tx) =>
              postLedger(
                tx,
                [
                  {
                    transactionId: `t:${id}:${booked.length}`,
                    kind,
                    currency: 'EUR',
                    occurredAt: new Date(atMs),
                    reference: 'r',
                    entries: [
                      { account: { kind: 'wallet', merchantId: id, currency: 'EUR' }, amountMicros: signed },
                      { account: { kind: 'cash', currency: 'EUR' }, amountMicros: -signed },
                    ],
                  },
                ],
                new Date(atMs),
              ),
            )
          }
          at('2026-03-05T12:00:00Z')
          const { body: list } = await api.call<{
            items: { month: string; openingBalance: string; closingBalance: string; preliminary: boolean }[]
          }>(api.operator, 'GET', `/v1/merchants/${id}/statements`)
          expect(list.items.map(({ month }) => month)).toEqual([
            '2026-03',
            '2026-02',
            '2026-01',
            '2025-12',
            '2025-11',
            '2025-10',
          ])
          let opening = 0n
          for (const summary of [...list.items].reverse()) {
            const { body } = await statementOf(id, summary.month)
            const { fromMs, toMs } = monthBounds(summary.month, timeZone)
            const inMonth = booked.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
            const sum = inMonth.reduce((total, { micros }) => total + micros, 0n)
            expect(inMonth.every(({ atMs }) => monthOf(atMs, timeZone) === summary.month)).toBe(true)
            expect(body.openingBalance).toBe(formatMoney(opening))
            const sections = [body.deposits, body.credits, body.refunds, body.charges, body.clawbacks]
            const added = sections.reduce((total, { amount }) => total + parseMoney(amount), 0n)
            expect(added).toBe(sum)
            opening += sum
            expect(body.closingBalance).toBe(formatMoney(opening))
            expect(summary).toMatchObject({
              openingBalance: body.openingBalance,
              closingBalance: body.closingBalance,
              preliminary: body.preliminary,
            })
          }
          expect(opening).toBe(balance)
        },
      ),
      { numRuns: 20 },
    )
  })
})

describe('GET /v1/merchants/{id}/statements', () => {
  it('200: pages newest first', async () => {
    at('2025-11-15T00:00:00Z')
    const id = await api.merchant()
    await post(`/v1/merchants/${id}/deposits`, { amount: '3', reference: 'r' })
    at('2026-02-15T00:00:00Z')
    type Page = { items: { month: string; closingBalance: string }[]; nextCursor: string | null }
    const list = (query: string) =>
      api.call<Page>(api.operator, 'GET', `/v1/merchants/${id}/statements${query}`)
    const first = await list('?limit=3')
    expect(first.body.items.map(({ month }) => month)).toEqual(['2026-02', '2026-01', '2025-12'])
    expect(first.body.items.every(({ closingBalance }) => closingBalance === '3')).toBe(true)
    const second = await list(`?limit=3&cursor=${first.body.nextCursor}`)
    expect(second.body).toMatchObject({
      items: [{ month: '2025-11', closingBalance: '3' }],
      nextCursor: null,
    })
  })

  it('404: for somebody else', async () => {
    const id = await api.merchant()
    const other = await api.key(`merchant:${await api.merchant()}`)
    expect((await api.call(other, 'GET', `/v1/merchants/${id}/statements`)).status).toBe(404)
  })
})
