import { readFileSync } from 'node:fs'
import { parseMoney, type Statement } from '@endcap/contracts'
import { pageTable } from '@endcap/platform/testing'
import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Harness, startHarness } from '../testing/harness.js'
import { bookCharges } from '../testing/made-charges.js'
import { store } from '../testing/report-events.js'

const PAGE = new URL('../../../docs/billing.md', import.meta.url)

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

it("the page's statement is what the ledger and the statement say, step by step", async () => {
  const merchantId = await api.merchant()
  const post = async (path: string, body: unknown) =>
    expect((await api.call(api.operator, 'POST', path, body)).status).toBe(201)
  const steps = pageTable(PAGE, 'statement')
  const [listing] = await api.listings(merchantId, 'page-1')
  const campaign = await api.call<{ id: string }>(api.operator, 'POST', '/v1/campaigns', {
    merchantId,
    name: 'c',
    pricing: 'cpc',
    bid: '1',
    budget: {},
    listings: [listing],
  })
  const campaignId = campaign.body.id
  const charges: string[] = []
  for (const { 'what happened': what, wallet } of steps.slice(0, -1)) {
    const amount = wallet!.replace('-', '')
    const path = `/v1/merchants/${merchantId}/${what}s`
    if (what === 'deposit' || what === 'refund') await post(path, { amount, reference: 'r' })
    if (what === 'credit') await post(path, { amount, reason: 'r' })
    if (what === 'charge') {
      const events = await bookCharges(api.postgres, [
        { merchantId, campaignId, micros: parseMoney(amount), at: new Date(api.now).toISOString() },
      ])
      await store(stored.clickhouse, events)
      charges.push(events[0]!.data.chargeId)
    }
    if (what === 'clawback') await post('/v1/clawbacks', { reason: 'bot', charges: [charges[0]] })
  }
  const { body: ledger } = await api.call<{ items: { kind: string; amount: string }[] }>(
    api.operator,
    'GET',
    `/v1/merchants/${merchantId}/ledger`,
  )
  expect(ledger.items.map(({ kind, amount }) => `${kind} ${amount}`).reverse()).toEqual(
    steps.slice(0, -1).map((step) => `${step['what happened']} ${step.wallet}`),
  )
  const month = new Date(api.now).toISOString().slice(0, 7)
  const { body } = await api.call<Statement>(
    api.operator,
    'GET',
    `/v1/merchants/${merchantId}/statements/${month}`,
  )
  expect(body.closingBalance).toBe(steps.at(-1)!.wallet)
})

it("the page's SQL runs, and finds the books in order", async () => {
  const [, block] = readFileSync(PAGE, 'utf8').split('```sql\n')
  const statements = block!
    .split('```')[0]!
    .split(';')
    .filter((text) => text.trim() !== '')
  expect(statements).toHaveLength(4)
  const [sums, ...others] = await Promise.all(
    statements.map((sql) => api.postgres.query<{ sum: string }>(sql)),
  )
  expect(sums!.rows.map(({ sum }) => sum)).toEqual(['0'])
  for (const { rows } of others) expect(rows).toEqual([])
})
