import { type LoggedAuctionAnswer, loggedAuctionAnswer } from '@endcap/contracts'
import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Harness, startHarness } from '../../testing/harness.js'
import { loggedAuctionEvent, PCTR } from '../../testing/logged-auction.js'
import { auction, store } from '../../testing/report-events.js'

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

const get = (id: string, key = api.operator) =>
  api.call<LoggedAuctionAnswer & { code?: string; detail?: string }>(key, 'GET', `/v1/auctions/${id}`)

const AT = '2025-02-03T10:00:00.000Z'
const bidders = [
  { campaignId: 'a', merchantId: 'm1', bidMicros: 900_000, position: 1, priceMicros: 700_000 },
  { campaignId: 'b', merchantId: 'm2', bidMicros: 700_000, position: 2, priceMicros: 400_000 },
  { campaignId: 'c', merchantId: 'm3', bidMicros: 400_000, position: 0, reason: 'outranked' },
  {
    campaignId: 'd',
    merchantId: 'm4',
    bidMicros: 50_000,
    position: 0,
    reason: 'below_reserve',
    sampleProbability: 0.125,
  },
]

it('200: a logged auction with its rules and every bidder, and it comes out again as it was', async () => {
  const event = loggedAuctionEvent(AT, bidders, { drops: { outranked: 1, budget_day_spent: 4 } })
  await store(stored.clickhouse, [event])
  const { status, body } = await get(event.data.auctionId)
  expect(status).toBe(200)
  loggedAuctionAnswer.strict().parse(body)
  expect(body).toMatchObject({
    auctionId: event.data.auctionId,
    occurredAt: AT,
    placement: 'search',
    query: 'Shoes',
    currency: 'EUR',
    totalSlots: 6,
    forSale: [1, 2],
    rules: { reserve: '0.100000', reserveRule: 'search in shoes', squashing: 1, maxPerMerchant: 2 },
    slots: [
      { position: 1, listingId: 'L_a', sponsored: true, campaignId: 'a', adId: 'ad_a', price: '0.700000' },
      { position: 2, listingId: 'L_b', price: '0.400000', pricing: 'cpc' },
    ],
    drops: { outranked: 1, budget_day_spent: 4 },
    replay: { agrees: true, differences: [] },
  })
  expect(body.outcomes.map((o) => [o.campaignId, o.outcome, o.reason, o.price, o.sampleProbability])).toEqual(
    [
      ['a', 'won', 'second_price', '0.700000', 1],
      ['b', 'won', 'second_price', '0.400000', 1],
      ['c', 'outranked', 'outranked', null, 1],
      ['d', 'dropped', 'below_reserve', null, 0.125],
    ],
  )
  expect(body.outcomes[0]).toMatchObject({
    pctr: Math.fround(PCTR),
    relevance: 1 / 3,
    pricedBy: {
      next: { campaignId: 'b' },
      bidForNextScore: '0.700000',
      reserve: '0.100000',
      decidedBy: 'next_score',
    },
  })
})

it('tells VCG prices of the slots that the page reached, as live explanations do', async () => {
  const [first, second, third] = bidders
  const ended = { ...second!, position: 0, priceMicros: 0, reason: 'page_ended' }
  const event = loggedAuctionEvent(AT, [first!, ended, third!])
  await store(stored.clickhouse, [event])
  // Of one slot: without the first, the second would have all its clicks.
  expect((await get(event.data.auctionId)).body.outcomes[0]).toMatchObject({
    campaignId: 'a',
    pricedBy: { vcgPrice: '0.700000' },
  })
})

it('says where a damaged log does not agree with itself', async () => {
  const [first, second, ...others] = bidders
  const event = loggedAuctionEvent(AT, [{ ...first!, priceMicros: 650_000 }, second!, ...others])
  await store(stored.clickhouse, [event])
  expect((await get(event.data.auctionId)).body.replay).toEqual({
    agrees: false,
    differences: ['price of ad_a: logged 0.650000, replayed 0.700000'],
  })
  const beaten = { ...second!, position: 0, priceMicros: 0, reason: 'page_ended' }
  const unequal = loggedAuctionEvent(AT, [{ ...first!, bidMicros: 600_000 }, beaten])
  await store(stored.clickhouse, [unequal])
  const { status, body } = await get(unequal.data.auctionId)
  expect(status).toBe(200)
  expect(body.replay!.differences[0]).toBe('position 1: logged ad_a, replayed ad_b')
})

it('reads again an auction in which a frequency cap held', async () => {
  const [first, second, third] = bidders
  const capped = { ...third!, merchantId: 'm1', reason: 'merchant_frequency_cap' }
  const event = loggedAuctionEvent(AT, [first!, { ...second!, priceMicros: 100_000 }, capped])
  await store(stored.clickhouse, [event])
  const { status, body } = await get(event.data.auctionId)
  expect(status).toBe(200)
  expect(body.replay).toEqual({ agrees: true, differences: [] })
  expect(body.outcomes.map(({ reason, pricedBy }) => [reason, pricedBy?.vcgPrice])).toEqual([
    ['second_price', '0.350000'],
    ['reserve_price', '0.100000'],
    ['merchant_frequency_cap', undefined],
  ])
})

it('200: an auction of before rules were logged is shown, but cannot be decided again', async () => {
  const event = auction(AT, [{ merchantId: 'm1', listingId: 'L1' }])
  await store(stored.clickhouse, [event])
  const { status, body } = await get(event.data.auctionId)
  expect(status).toBe(200)
  expect(body).toMatchObject({ rules: null, replay: null, case: null, outcomes: [] })
  expect(body.slots.map(({ listingId }) => listingId)).toEqual(['L1'])
})

/** An id as serving makes it, of an auction at this instant. */
const idAt = (instant: string) =>
  `auc_${Date.parse(instant).toString(16).padStart(12, '0')}7abc8def0123456789ab`

it('404: for an auction that is not in the log', async () => {
  for (const id of ['auc_unknown', idAt('2024-12-05T12:00:00.000Z')])
    expect(await get(id), id).toMatchObject({ status: 404, body: { code: 'not_found' } })
})

it('410: for an auction of longer ago than auctions are kept, by the time in its id', async () => {
  // The API's clock stands at noon on 5 January 2026.
  const answer = await get(idAt('2024-12-05T11:59:59.999Z'))
  expect(answer).toMatchObject({ status: 410, body: { code: 'gone' } })
  expect(answer.body.detail).toContain('13 months')
})

it('401 without a key; 403 for any key but an operator’s', async () => {
  expect((await get('auc_1', 'ek_none')).status).toBe(401)
  for (const scope of ['serve', 'reports', 'events', 'merchant:m1'] as const) {
    expect((await get('auc_1', await api.key(scope))).status, scope).toBe(403)
  }
})

it('503: while the report store is away', async () => {
  const away = await startHarness()
  const answer = await away.call(away.operator, 'GET', '/v1/auctions/auc_1')
  await away.stop()
  expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } })
})
