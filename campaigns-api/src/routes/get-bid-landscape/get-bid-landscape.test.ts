import { type BidLandscapeAnswer, bidLandscapeAnswer } from '@endcap/contracts'
import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../../testing/harness.js'
import { loggedAuctionEvent, PCTR, TERMS } from '../../testing/logged-auction.js'
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
  expect(body).toMatchObject({ currency: 'EUR', auctions: { found: 0, replayed: 0, leftOut: 0 }, bids: 0 })
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
    auctions: { found: 2, replayed: 2, leftOut: 0 },
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

describe('for others than operators', () => {
  const day = (number: number) => `2025-12-${String(number).padStart(2, '0')}`
  const window = (from: string, to: string) => `from=${from}&to=${to}`
  /** Auctions that the campaign loses with 0.40 to a rival, whose bid would set the price of the first slot at half as much again. */
  const lost = (at: string, count: number, rivalMicros = 500_000, moreMicros = 0) =>
    store(
      stored.clickhouse,
      Array.from({ length: count }, (_, i) =>
        loggedAuctionEvent(
          at,
          [
            {
              campaignId: 'x',
              merchantId: 'm1',
              bidMicros: rivalMicros + i * moreMicros,
              position: 1,
              priceMicros: 400_000,
            },
            { campaignId, merchantId, bidMicros: 400_000, position: 0, reason: 'outranked' },
          ],
          { terms: { ...TERMS, forSale: [1] } },
        ),
      ),
    )
  let own: string
  const asOwner = async (from: string, to: string) => (await ask(window(from, to), own)).body
  const halfMore = ({ landscape }: Answer) => landscape[5]!

  beforeAll(async () => {
    own = await api.key(`merchant:${merchantId}`)
    await lost(`${day(1)}T10:00:00Z`, 1, 431_234)
    await lost(`${day(2)}T10:00:00Z`, 20)
    await lost(`${day(3)}T10:00:00Z`, 19, 555_555)
    await lost(`${day(4)}T23:59:59.999Z`, 130, 510_000, 100)
  })

  it('one auction tells nothing, a day of twenty its sum; what is left out is counted', async () => {
    for (const key of [own, await api.key('reports')]) {
      const { status, body } = await ask(window(`${day(1)}T00:00:00Z`, `${day(2)}T00:00:00Z`), key)
      expect(status).toBe(200)
      bidLandscapeAnswer.strict().parse(body)
      expect(body).toMatchObject({ auctions: { found: 0, replayed: 0, leftOut: 1 }, bids: 0 })
      expect(JSON.stringify(body)).not.toContain('431234')
      expect(halfMore(body)).toEqual({
        bidChange: 0.5,
        wins: 0,
        winRate: null,
        clicks: 0,
        spend: '0',
        cpc: null,
        cpm: null,
      })
    }
    const body = await asOwner(`${day(1)}T00:00:00Z`, `${day(4)}T00:00:00Z`)
    expect(body).toMatchObject({ auctions: { found: 20, replayed: 20, leftOut: 20 }, bids: 20 })
    expect(halfMore(body)).toMatchObject({ wins: 20, cpc: '0.5' })
    expect(body.landscape[3]).toMatchObject({ wins: 0 })
  })

  it('a part of a day counts for nothing, so that no windows differ by less than a day', async () => {
    const whole = await asOwner(`${day(2)}T00:00:00Z`, `${day(3)}T00:00:00Z`)
    for (const [from, to] of [
      [`${day(2)}T00:00:00Z`, `${day(3)}T10:01:00Z`],
      [`${day(1)}T10:00:00Z`, `${day(3)}T00:00:00Z`],
    ] as const) {
      const { bids, landscape } = await asOwner(from, to)
      expect({ bids, landscape }).toEqual({ bids: whole.bids, landscape: whole.landscape })
    }
    const cut = await asOwner(`${day(2)}T00:01:00Z`, `${day(3)}T00:00:00Z`)
    expect(cut).toMatchObject({ auctions: { found: 0, leftOut: 20 }, bids: 0 })
  })

  it('a large day is the same sum of the same auctions in every window', async () => {
    const small = await asOwner(`${day(2)}T00:00:00Z`, `${day(3)}T00:00:00Z`)
    const large = await asOwner(`${day(4)}T00:00:00Z`, `${day(5)}T00:00:00Z`)
    expect(large.auctions).toEqual({ found: 130, replayed: 100, leftOut: 0 })
    expect(halfMore(large)).toMatchObject({ wins: 130 })
    const both = await asOwner(`${day(2)}T00:00:00Z`, `${day(5)}T00:00:00Z`)
    expect(both.auctions).toEqual({ found: 150, replayed: 120, leftOut: 19 })
    expect(halfMore(both)).toMatchObject({ wins: 150 })
    const spends = [small, large, both].map((answer) => Number(halfMore(answer).spend))
    expect(spends[2]).toBeCloseTo(spends[0]! + spends[1]!, 5)
  })

  it('today counts for nothing, however often it is asked about; a day counts once it is over for an hour', async () => {
    const noon = api.now
    const asked = () => asOwner('2026-01-05T00:00:00Z', '2026-01-06T00:00:00Z')
    await lost('2026-01-05T09:00:00Z', 25)
    const before = await asked()
    await lost('2026-01-05T11:00:00Z', 1, 431_234)
    const after = await asked()
    expect(before.auctions).toEqual({ found: 0, replayed: 0, leftOut: 25 })
    expect(after.auctions).toEqual({ found: 0, replayed: 0, leftOut: 26 })
    expect(after.landscape).toEqual(before.landscape)
    try {
      api.now = Date.parse('2026-01-06T00:59:00Z')
      expect((await asked()).auctions.found).toBe(0)
      api.now = Date.parse('2026-01-06T01:00:00Z')
      expect((await asked()).auctions).toEqual({ found: 26, replayed: 26, leftOut: 0 })
    } finally {
      api.now = noon
    }
  })

  it('auctions that cannot be run again help no day over the least number', async () => {
    const old = Array.from({ length: 30 }, () =>
      auction(`${day(8)}T10:00:00Z`, [{ merchantId, campaignId, listingId: 'L1' }]),
    )
    await store(stored.clickhouse, old)
    await lost(`${day(8)}T11:00:00Z`, 1, 431_234)
    const body = await asOwner(`${day(8)}T00:00:00Z`, `${day(9)}T00:00:00Z`)
    expect(body).toMatchObject({ auctions: { found: 0, replayed: 0, leftOut: 31 }, bids: 0 })
  })

  it('operators are told of every auction still', async () => {
    const { body } = await ask(window(`${day(1)}T10:00:00Z`, `${day(1)}T10:01:00Z`))
    expect(body.auctions).toEqual({ found: 1, replayed: 1, leftOut: 0 })
    expect(halfMore(body)).toMatchObject({ wins: 1, cpc: '0.431234' })
  })
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
