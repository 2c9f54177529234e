import type { RankAnswer, ReportAnswer } from '@endcap/contracts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Marketplace, openMarketplace } from '../support/marketplace.js'
import { type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.js'
import { poll } from '../support/processes.js'

const PATIENCE_MS = 60_000
const DAY_MS = 86_400_000
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const BROWSER = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', 'accept-language': 'en' }

let receiver: Awaited<ReturnType<typeof startOtlpReceiver>>
let market: Marketplace

beforeAll(async () => {
  process.env.OTEL_BSP_SCHEDULE_DELAY = '100'
  receiver = await startOtlpReceiver()
  market = await openMarketplace({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
})
afterAll(async () => {
  await market?.close()
  await receiver?.close()
})

/** The first sponsored slot of a new campaign, once the ad-server knows it. */
async function sponsoredSlot(): Promise<{ clickUrl: string; impressionUrl: string }> {
  const merchantId = await market.merchant('10')
  const listing = { id: 'L1', merchantId, title: 'Red shoes', url: 'https://shop.example/L1', price: '40.00' }
  await market.expect(200, 'PUT', '/v1/listings', {
    items: [{ ...listing, categories: ['shoes'], currency: 'EUR' }],
  })
  await market.expect(201, 'POST', '/v1/campaigns', {
    merchantId,
    name: 'Shoes',
    pricing: 'cpc',
    bid: '0.50',
    budget: { total: '5' },
    pacing: 'asap',
    listings: ['L1'],
  })
  const { id } = (
    await market.expect<{ items: { id: string }[] }>(200, 'GET', `/v1/campaigns?merchantId=${merchantId}`)
  ).items[0]!
  await market.call('POST', `/v1/campaigns/${id}/activate`, { key: market.operator })
  return poll('a sponsored slot', PATIENCE_MS, async () => {
    const { slots } = await market.expect<RankAnswer>(200, 'POST', '/v1/rank', {
      placement: 'search',
      query: 'red shoes',
      organic: [],
      slots: { total: 1, sponsored: [1] },
    })
    const [slot] = slots
    return slot?.sponsored ? { clickUrl: slot.clickUrl!, impressionUrl: slot.impressionUrl! } : undefined
  })
}

const pathOf = (url: string) => new URL(url).pathname

it('one trace follows a click from its request to the charge in ClickHouse', async () => {
  const { clickUrl, impressionUrl } = await sponsoredSlot()
  expect((await market.call('GET', pathOf(impressionUrl), { headers: BROWSER })).status).toBe(200)
  // Faster than anyone clicks, the click would be invalid.
  await new Promise((later) => setTimeout(later, 1_500))
  const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-01`
  const click = await market.call('GET', pathOf(clickUrl), { headers: { ...BROWSER, traceparent } })
  expect(click.status).toBe(302)

  await poll('the charge in the report', PATIENCE_MS, async () => {
    const { totals } = await market.expect<ReportAnswer>(200, 'POST', '/v1/reports/query', {
      metrics: ['spend'],
      dimensions: [],
      from: new Date(Date.now() - DAY_MS).toISOString(),
      to: new Date(Date.now() + DAY_MS).toISOString(),
    })
    return totals.spend === '0.000000' || totals.spend === '0' ? undefined : totals
  })
  const spans = await poll('the spans', PATIENCE_MS, async () => {
    const received = receiver.of(TRACE_ID)
    return received.filter(({ name }) => name === 'ingest record').length >= 2 ? received : undefined
  })

  const ingests = (topic: string) => (span: ReceivedSpan) =>
    span.name === 'ingest record' &&
    span.attributes.some(({ key, value }) => key === 'endcap.topic' && value.stringValue === topic)
  const request = spans.find(({ name }) => name === 'GET /t/c/:token')
  const stored = spans.find(ingests('endcap.interactions.v1'))
  const billed = spans.find(({ name }) => name === 'bill interaction')
  const relayed = spans.find(({ name }) => name === 'relay outbox')
  const charged = spans.find(ingests('endcap.charges.v1'))
  expect([request?.parentSpanId, stored?.parentSpanId, billed?.parentSpanId]).toEqual([
    '00f067aa0ba902b7',
    request?.spanId,
    request?.spanId,
  ])
  expect([relayed?.parentSpanId, charged?.parentSpanId]).toEqual([billed?.spanId, relayed?.spanId])
})
