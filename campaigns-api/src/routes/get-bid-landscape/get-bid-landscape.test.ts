import { type BidLandscapeAnswer, bidLandscapeAnswer } from '@endcap/contracts'
import { startTestClickHouse, type TestClickHouse } from '@endcap/platform/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Harness, startHarness } from '../../testing/harness.js'
import { loggedAuctionEvent, PCTR } from '../../testing/logged-auction.js'
import { auction, store } from '../../testing/report-events.js'

let stored: TestClickHouse
let api: Harness
let merchantId: string
let campaignId: string
beforeAll(async () => {
  stored = await startTestClickHouse()
  api = await startHarness({ clickhouse: stored.clickhouse })
  merchantId = await api.merchant()
  const made = await api.call<{ id: string }>(api.operator, 'POST', '/v1/campaigns', {
    merchantId,
    name: 'Shoes',
    pricing: 'cpc',
    bid: '0.75',
    budget: { daily: '50' },
    pacing: 'asap',
    listings: await api.listings(merchantId, 'L1'),
  })
  campaignId = made.body.id
})
afterAll(async () => {
  await api.stop()
  await stored.close()
})

type Answer = BidLandscapeAnswer & { code?: string; errors?: { path: string }[] }
const ask = (query: string, key = api.operator, id = campaignId) =>
  api.call<Answer>(key, 'GET', `/v1/campaigns/${id}/bid-landscape?${query}`)
const PERIOD = 'from=2025-03-01T00:00:00Z&to=2025-03-02T00:00:00Z'

it('200: nothing but zeros and nulls where the campaign did not bid', async () => {
  const { status, body } = await ask('from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z')
  expect(status).toBe(200)
  expect(body).toMatchObject({ currency: 'EUR', auctions: { found: 0, replayed: 0 }, bids: 0 })
  expect(body.landscape).toHaveLength(6)
  expect(body.landscape[0]).toEqual({
    bidChange: -0.2,
    wins: 0,
    winRate: null,
    clicks: 0,
    spend: '0',
    cpc: null,
    cpm: null,
  })
})

it('200: what other bids would have won and cost, sampled losers counted for those they stand for', async () => {
  const mine = { campaignId, merchantId }
  const rivals = [
    { campaignId: 'x', merchantId: 'm1', bidMicros: 500_000, position: 1, priceMicros: 420_000 },
    { campaignId: 'y', merchantId: 'm2', bidMicros: 420_000, position: 2, priceMicros: 410_000 },
    { campaignId: 'z', merchantId: 'm3', bidMicros: 410_000, position: 0, reason: 'outranked' },
  ]
  await store(stored.clickhouse, [
    // Loses with 0.40, one of four losers of whom one is logged.
    loggedAuctionEvent('2025-03-01T10:00:00Z', [
      ...rivals,
      { ...mine, bidMicros: 400_000, position: 0, reason: 'outranked', sampleProbability: 0.25 },
    ]),
    // Wins the second slot with 0.45 at 0.42.
    loggedAuctionEvent('2025-03-01T11:00:00Z', [
      { campaignId: 'x', merchantId: 'm1', bidMicros: 500_000, position: 1, priceMicros: 450_000 },
      { ...mine, bidMicros: 450_000, position: 2, priceMicros: 420_000 },
      { campaignId: 'y', merchantId: 'm2', bidMicros: 420_000, position: 0, reason: 'outranked' },
    ]),
    // Outside the period, of another campaign, and of before terms were logged.
    loggedAuctionEvent('2025-03-02T00:00:00Z', [
      { ...mine, bidMicros: 900_000, position: 1, priceMicros: 100_000 },
    ]),
    loggedAuctionEvent('2025-03-01T12:00:00Z', rivals),
  ])
  const { status, body } = await ask(PERIOD)
  expect(status).toBe(200)
  bidLandscapeAnswer.strict().parse(body)
  expect(body).toMatchObject({
    campaignId,
    currency: 'EUR',
    from: '2025-03-01T00:00:00.000Z',
    to: '2025-03-02T00:00:00.000Z',
    auctions: { found: 2, replayed: 2 },
    bids: 5,
  })
  const wins = body.landscape.map(({ bidChange, wins: count, winRate }) => [bidChange, count, winRate])
  expect(wins).toEqual([
    [-0.2, 0, 0],
    [-0.1, 0, 0],
    [0, 1, 0.2],
    // 0.44 is enough for the second slot of the first auction, at 0.42.
    [0.1, 5, 1],
    [0.25, 5, 1],
    [0.5, 5, 1],
  ])
  const [, , asItWas, tenMore, , halfMore] = body.landscape
  const pctr = Math.fround(PCTR)
  // Second position: half of the clicks.
  expect(Number(asItWas!.spend)).toBeCloseTo(0.42 * pctr * 0.5, 6)
  expect(asItWas).toMatchObject({ cpc: '0.42' })
  expect(Number(tenMore!.spend)).toBeCloseTo(4 * 0.42 * pctr * 0.5 + 0.42 * pctr * 0.5, 6)
  // 0.60 and 0.675: the first slot in both, at 0.50.
  expect(halfMore).toMatchObject({ cpc: '0.5' })
  expect(Number(halfMore!.cpm)).toBeCloseTo(0.5 * pctr * 1000, 4)
})

it('scales up from the auctions that can be run again', async () => {
  const bidder = { campaignId, merchantId, bidMicros: 400_000, position: 1, priceMicros: 100_000 }
  const old = auction('2025-04-01T10:00:00Z', [{ merchantId, campaignId, listingId: 'L1' }])
  await store(stored.clickhouse, [loggedAuctionEvent('2025-04-01T11:00:00Z', [bidder]), old])
  const { body } = await ask('from=2025-04-01T00:00:00Z&to=2025-04-02T00:00:00Z')
  expect(body).toMatchObject({ auctions: { found: 2, replayed: 1 }, bids: 2 })
  expect(body.landscape.map(({ wins }) => wins)).toEqual([2, 2, 2, 2, 2, 2])
})

it('is for the merchant, for reports and for operators; another merchant hears 404', async () => {
  for (const scope of [`merchant:${merchantId}`, 'reports'] as const) {
    expect((await ask(PERIOD, await api.key(scope))).status, scope).toBe(200)
  }
  expect((await ask(PERIOD, await api.key('merchant:mer_other'))).status).toBe(404)
  expect((await ask(PERIOD, api.operator, 'cmp_none')).status).toBe(404)
  expect((await ask(PERIOD, await api.key('merchant:mer_other'), 'cmp_none')).status).toBe(404)
  expect((await ask(PERIOD, await api.key('serve', 'events'))).status).toBe(403)
  expect((await ask(PERIOD, 'ek_none')).status).toBe(401)
})

it('422: names what is wrong with the period', async () => {
  for (const [query, path] of [
    ['', '?from'],
    ['from=2025-03-01T00:00:00Z', '?to'],
    ['from=yesterday&to=2025-03-02T00:00:00Z', '?from'],
    ['from=2025-03-02T00:00:00Z&to=2025-03-02T00:00:00Z', '?to'],
    ['from=2025-01-01T00:00:00Z&to=2025-03-02T00:00:00Z', '?from'],
    ['from=1980-01-01T00:00:00Z&to=1980-01-02T00:00:00Z', '?from'],
    [`${PERIOD}&days=3`, '?days'],
  ] as const) {
    const answer = await ask(query)
    expect(answer.status, query).toBe(422)
    expect(
      answer.body.errors!.map((error) => error.path),
      query,
    ).toContain(path)
  }
})

it('503: while the report store is away', async () => {
  const away = await startHarness()
  const otherMerchant = await away.merchant()
  const made = await away.call<{ id: string }>(away.operator, 'POST', '/v1/campaigns', {
    merchantId: otherMerchant,
    name: 'Shoes',
    pricing: 'cpc',
    bid: '0.75',
    budget: { daily: '50' },
    pacing: 'asap',
    listings: await away.listings(otherMerchant, 'L1'),
  })
  const answer = await away.call(
    away.operator,
    'GET',
    `/v1/campaigns/${made.body.id}/bid-landscape?${PERIOD}`,
  )
  await away.stop()
  expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } })
})
