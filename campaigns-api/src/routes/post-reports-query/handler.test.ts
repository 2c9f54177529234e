import type { ReportAnswer } from '@endcap/contracts'
import { attributionProgressTable, attributionsTable } from '@endcap/storage/clickhouse'
import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../../testing/harness.js'
import { auction, charge, interaction, order, store } from '../../testing/report-events.js'

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

const ask = (body: Readonly<Record<string, unknown>>, key = api.operator) =>
  api.call<ReportAnswer & { errors: { path: string; message: string }[] }>(key, 'POST', '/v1/reports/query', {
    from: '2026-01-05T00:00:00Z',
    to: '2026-01-06T00:00:00Z',
    ...body,
  })
const rowsOf = async (body: Readonly<Record<string, unknown>>, key = api.operator) => {
  const answer = await ask(body, key)
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body.rows
}

it('200: an empty store gives zeros, nulls where there is nothing to divide by, and no freshness', async () => {
  const { body } = await ask({ metrics: ['requests', 'spend', 'orders', 'ctr', 'cpc'] })
  const nothing = { requests: 0, spend: '0', orders: 0, ctr: null, cpc: null }
  expect(body).toMatchObject({
    rows: [nothing],
    totals: nothing,
    currency: null,
    freshness: { eventsThrough: null },
  })
  expect(await rowsOf({ metrics: ['clicks'], dimensions: ['day'] })).toEqual([])
})

it('503: while the report store is away', async () => {
  const away = await startHarness()
  const body = { metrics: ['clicks'], from: '2026-01-05T00:00:00Z', to: '2026-01-06T00:00:00Z' }
  const answer = await away.call(away.operator, 'POST', '/v1/reports/query', body)
  await away.stop()
  expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } })
})

describe('performance', () => {
  let m1: string
  let m2: string
  beforeAll(async () => {
    m1 = await api.merchant()
    m2 = await api.merchant()
    const a = { merchantId: m1, campaignId: 'cmp_a', listingId: 'L1' }
    const b = {
      merchantId: m2,
      campaignId: 'cmp_b',
      listingId: 'L2',
      position: 2,
      device: 'desktop',
      searchTerm: '=cmd()',
    }
    const organic = { merchantId: m1, listingId: 'L1', position: 3, sponsored: false }
    await store(stored.clickhouse, [
      auction('2026-01-05T10:00:00Z', [a, b, organic]),
      auction('2026-01-05T10:30:00Z', [a, { ...b, outcome: 'outranked', position: 0 }]),
      auction('2026-01-05T23:30:00Z', [b], { device: 'desktop' }),
      interaction('impression', '2026-01-05T10:00:01Z', a),
      interaction('impression', '2026-01-05T10:30:01Z', a),
      interaction('viewable', '2026-01-05T10:00:02Z', a),
      interaction('click', '2026-01-05T10:00:09Z', a),
      interaction('click', '2026-01-05T10:00:09Z', a),
      interaction('impression', '2026-01-05T10:00:01Z', b),
      interaction('impression', '2026-01-05T23:30:01Z', b),
      interaction('click', '2026-01-05T23:30:30Z', b),
      interaction('impression', '2026-01-05T10:00:01Z', organic),
      charge('2026-01-05T10:00:09Z', a, { micros: 9_007_199_254_740_993n }),
      charge('2026-01-05T10:00:09Z', a, { reason: 'repeat' }),
      charge('2026-01-05T10:00:01Z', a, { reason: 'repeat', of: 'impression' }),
      charge('2026-01-05T10:00:10Z', a, { reason: 'over_wallet' }),
      charge('2026-01-05T23:30:30Z', b, { micros: 333_333n }),
    ])
  })

  it('200: counts every metric by merchant, money exact to the micro', async () => {
    const answer = await ask({
      metrics: [
        'requests',
        'impressions',
        'viewableImpressions',
        'clicks',
        'invalidImpressions',
        'invalidClicks',
        'validImpressions',
        'validClicks',
        'spend',
        'overDelivery',
      ],
      dimensions: ['merchant', 'campaign'],
      filters: { sponsored: true, merchant: [m1, m2] },
      orderBy: [{ field: 'spend', direction: 'desc' }],
    })
    expect(answer.body.rows).toEqual([
      {
        merchant: m1,
        campaign: 'cmp_a',
        requests: 2,
        impressions: 2,
        viewableImpressions: 1,
        clicks: 2,
        invalidImpressions: 1,
        invalidClicks: 1,
        validImpressions: 1,
        validClicks: 1,
        spend: '9007199254.740993',
        overDelivery: '0.5',
      },
      {
        merchant: m2,
        campaign: 'cmp_b',
        requests: 2,
        impressions: 2,
        viewableImpressions: 0,
        clicks: 1,
        invalidImpressions: 0,
        invalidClicks: 0,
        validImpressions: 2,
        validClicks: 1,
        spend: '0.333333',
        overDelivery: '0',
      },
    ])
    expect(answer.body.totals).toMatchObject({
      requests: 3,
      impressions: 4,
      clicks: 3,
      validClicks: 2,
      spend: '9007199255.074326',
      overDelivery: '0.5',
    })
    expect(answer.body.currency).toBe('EUR')
    expect(answer.body.columns.map(({ kind }) => kind)).toEqual([
      'dimension',
      'dimension',
      'count',
      'count',
      'count',
      'count',
      'count',
      'count',
      'count',
      'count',
      'money',
      'money',
    ])
    expect(answer.body.freshness).toEqual({ eventsThrough: '2026-01-05T23:30:30.500Z' })
  })

  it('200: requests without a slot dimension are auctions', async () => {
    expect(await rowsOf({ metrics: ['requests'] })).toEqual([{ requests: 3 }])
    expect(await rowsOf({ metrics: ['requests'], dimensions: ['device'] })).toEqual([
      { device: 'desktop', requests: 1 },
      { device: 'mobile', requests: 2 },
    ])
    expect(await rowsOf({ metrics: ['requests'], filters: { campaign: 'cmp_b' } })).toEqual([{ requests: 2 }])
  })

  it('200: ratios come from sums of valid interactions; without a denominator they are null and sort last', async () => {
    const rows = await rowsOf({
      metrics: ['ctr', 'cpc', 'cpm', 'roas', 'acos', 'cvr'],
      dimensions: ['listing', 'position'],
      orderBy: [{ field: 'cpc', direction: 'asc' }],
    })
    expect(rows).toEqual([
      { listing: 'L2', position: 2, ctr: 0.5, cpc: '0.333333', cpm: '166.6665', roas: 0, acos: null, cvr: 0 },
      {
        listing: 'L1',
        position: 1,
        ctr: 1,
        cpc: '9007199254.740993',
        cpm: '9007199254740.993',
        roas: 0,
        acos: null,
        cvr: 0,
      },
      { listing: 'L1', position: 3, ctr: 0, cpc: null, cpm: '0', roas: null, acos: null, cvr: null },
    ])
  })

  it("200: days and hours are the report's own time zone's", async () => {
    const period = {
      from: '2026-01-05T00:00:00+09:00',
      to: '2026-01-07T00:00:00+09:00',
      timeZone: 'asia/tokyo',
    }
    expect(await rowsOf({ ...period, metrics: ['clicks'], dimensions: ['day'] })).toEqual([
      { day: '2026-01-05', clicks: 2 },
      { day: '2026-01-06', clicks: 1 },
    ])
    expect(await rowsOf({ ...period, metrics: ['clicks', 'requests'], dimensions: ['hour'] })).toEqual([
      { hour: '2026-01-05T19:00:00+09:00', clicks: 2, requests: 2 },
      { hour: '2026-01-06T08:00:00+09:00', clicks: 1, requests: 1 },
    ])
  })

  it('200: the daily and the minute rollup give the same', async () => {
    const query = {
      metrics: ['impressions', 'clicks', 'spend', 'invalidClicks'],
      dimensions: ['campaign', 'position'],
    }
    const daily = await rowsOf(query)
    const byMinute = await rowsOf({ ...query, timeZone: 'Europe/London' })
    expect(daily).toEqual(byMinute)
    expect(daily.length).toBe(3)
    const days = { metrics: ['clicks'], dimensions: ['day'] }
    expect(await rowsOf(days)).toEqual(await rowsOf({ ...days, timeZone: 'Europe/London' }))
  })

  it('200: a period is rounded outwards to whole minutes', async () => {
    const period = { from: '2026-01-05T10:00:05Z', to: '2026-01-05T10:00:08.5Z' }
    expect(await rowsOf({ ...period, metrics: ['impressions', 'clicks', 'requests'] })).toEqual([
      { impressions: 3, clicks: 2, requests: 1 },
    ])
  })

  it('200: the limit cuts rows, not totals', async () => {
    const { body } = await ask({
      metrics: ['impressions'],
      dimensions: ['position'],
      limit: 1,
      filters: { sponsored: true },
    })
    expect(body.rows).toEqual([{ position: 1, impressions: 2 }])
    expect(body.totals).toEqual({ impressions: 4 })
    for (const position of [1, '1', [1], ['1']]) {
      expect(await rowsOf({ metrics: ['impressions'], filters: { position } })).toEqual([{ impressions: 2 }])
    }
  })

  it("200: a merchant's key sees its own merchants only, whatever it asks for", async () => {
    const key = await api.key(`merchant:${m2}`)
    const query = { metrics: ['requests', 'impressions', 'spend'], dimensions: ['merchant'] }
    expect(await rowsOf(query, key)).toEqual([
      { merchant: m2, requests: 2, impressions: 2, spend: '0.333333' },
    ])
    expect(await rowsOf({ ...query, filters: { campaign: 'cmp_a' } }, key)).toEqual([])
    expect((await ask({ ...query, filters: { merchant: m1 } }, key)).status).toBe(404)
    const marketer = await api.key('reports')
    expect(await rowsOf({ ...query, filters: { sponsored: true } }, marketer)).toHaveLength(2)
  })

  it('200: Accept text/csv gives CSV in which no search term runs as a formula', async () => {
    const answer = await api.call<string>(
      api.operator,
      'POST',
      '/v1/reports/query',
      {
        metrics: ['clicks', 'ctr', 'cpc'],
        dimensions: ['searchTerm', 'position'],
        from: '2026-01-05T00:00:00Z',
        to: '2026-01-06T00:00:00Z',
      },
      { accept: 'text/csv' },
    )
    expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8')
    expect(answer.body).toBe(
      "searchTerm,position,clicks,ctr,cpc\r\n'=cmd(),2,1,0.5,0.333333\r\nshoes,1,2,1,9007199254.740993\r\nshoes,3,0,0,\r\n",
    )
  })

  it('200: a hostile filter value is only ever a value', async () => {
    const hostile = `x') or 1=1 --\\'\n\t{from:String}`
    expect(
      await rowsOf({
        metrics: ['impressions'],
        dimensions: ['campaign'],
        filters: { searchTerm: [hostile, '=cmd()'] },
      }),
    ).toEqual([{ campaign: 'cmp_b', impressions: 2 }])
  })

  it('200: every metric can be asked for by every dimension', async () => {
    const metrics = [
      'requests',
      'impressions',
      'viewableImpressions',
      'clicks',
      'invalidImpressions',
      'invalidClicks',
      'validImpressions',
      'validClicks',
      'spend',
      'overDelivery',
      'orders',
      'units',
      'sales',
      'ctr',
      'cvr',
      'cpc',
      'cpm',
      'roas',
      'acos',
    ]
    for (const dimension of [
      'day',
      'hour',
      'merchant',
      'campaign',
      'listing',
      'placement',
      'position',
      'searchTerm',
      'device',
      'modelVersion',
    ]) {
      const rows = await rowsOf({
        metrics,
        dimensions: [dimension],
        orderBy: metrics.slice(0, 5).map((field) => ({ field })),
      })
      expect(rows.length, dimension).toBeGreaterThan(0)
    }
  })

  it('422: names what cannot be answered', async () => {
    for (const [body, path] of [
      [{ metrics: ['clicks'], dimensions: ['category'] }, '/dimensions/0'],
      [{ metrics: ['clicks'], filters: { keyword: 'x' } }, '/filters/keyword'],
      [{ metrics: ['clicks'], filters: { position: ['1', 'first'] } }, '/filters/position/1'],
      [{ metrics: ['clicks'], orderBy: [{ field: 'spend' }] }, '/orderBy/0/field'],
      [{ metrics: ['clicks'], orderBy: [{ field: 'day' }] }, '/orderBy/0/field'],
      [{ metrics: ['clicks', 'clicks'] }, '/metrics'],
      [{ metrics: ['profit'] }, '/metrics/0'],
      [{ metrics: ['clicks'], from: '0000-01-01T00:00:00Z' }, '/from'],
      [{ metrics: ['clicks'], to: '9999-12-31T23:59:59Z' }, '/to'],
      [{ metrics: ['clicks'], to: '2026-01-04T00:00:00Z' }, '/to'],
      [{ metrics: ['clicks'], timeZone: '+01:00' }, '/timeZone'],
    ] as const) {
      const answer = await ask(body)
      expect(answer.status, path).toBe(422)
      expect(answer.body.errors.map((error) => error.path)).toEqual([path])
    }
  })

  it('403: for a key that may not read reports', async () => {
    expect((await ask({ metrics: ['clicks'] }, await api.key('serve', 'events', 'orders'))).status).toBe(403)
  })
})

describe('freshness', () => {
  const through = async (body: Readonly<Record<string, unknown>>) =>
    (await ask(body)).body.freshness.eventsThrough

  it('200: does not run ahead of attribution where attributed orders are asked for, and only there', async () => {
    const stores = await through({ metrics: ['clicks'] })
    expect(stores).not.toBeNull()
    expect(await through({ metrics: ['orders'] })).toBeNull()
    const ran = async (eventsThrough: string) =>
      stored.clickhouse.insert(
        attributionProgressTable,
        [{ eventsThroughMs: Date.parse(eventsThrough), runAtMs: Date.parse(eventsThrough) }],
        { token: `ran ${eventsThrough}` },
      )
    await ran('2026-01-05T11:00:00.000Z')
    await ran('2026-01-05T12:00:00.000Z')
    for (const metrics of [['orders'], ['roas'], ['clicks', 'cvr']])
      expect(await through({ metrics })).toBe('2026-01-05T12:00:00.000Z')
    expect(await through({ metrics: ['clicks'] })).toBe(stores)
    // Any other window is worked out from what is stored now.
    expect(await through({ metrics: ['orders'], attribution: { clickDays: 7 } })).toBe(stores)
    await ran('2099-01-01T00:00:00.000Z')
    expect(await through({ metrics: ['orders'] })).toBe(stores)
  })
})

describe('attribution at read', () => {
  const day = (n: number, time = '12:00:00.000') => `2025-06-${String(n).padStart(2, '0')}T${time}Z`
  const period = { from: '2025-06-20T00:00:00Z', to: '2025-06-21T00:00:00Z' }
  let merchantId: string
  const slot = (campaignId: string, listingId: string, more = {}) => ({
    merchantId,
    campaignId,
    listingId,
    ...more,
  })
  const credit = async (attribution: Readonly<Record<string, unknown>>, filters = {}) => {
    const rows = await rowsOf({
      ...period,
      metrics: ['orders', 'units', 'sales'],
      dimensions: ['campaign'],
      filters: { merchant: merchantId, ...filters },
      attribution,
    })
    return Object.fromEntries(rows.map((row) => [row.campaign, `${row.orders}/${row.units}/${row.sales}`]))
  }

  it('the last click earns the order, before any later view', async () => {
    merchantId = await api.merchant()
    const buy = (customer: string, listingId: string) =>
      order(day(20), customer, [{ listingId, merchantId, quantity: 2, micros: 1_500_000n }])
    await store(stored.clickhouse, [
      interaction('click', day(18), slot('first_click', 'A'), { customer: 'c1' }),
      interaction('click', day(19), slot('last_click', 'A'), { customer: 'c1' }),
      interaction('impression', day(20, '11:59:00.000'), slot('later_view', 'A'), { customer: 'c1' }),
      interaction('click', day(20, '12:00:00.001'), slot('after_the_order', 'A'), { customer: 'c1' }),
      interaction('click', day(20), slot('of_somebody_else', 'A'), { customer: 'c2' }),
      interaction('click', day(20), { merchantId, listingId: 'A', sponsored: false }, { customer: 'c1' }),
      buy('c1', 'A'),
    ])
    expect(await credit({ clickDays: 7 })).toEqual({ last_click: '1/2/3' })
    expect(await credit({ clickDays: 7 }, { campaign: 'first_click' })).toEqual({})
  })

  it('the edge of each window is inside it, a millisecond earlier is not', async () => {
    merchantId = await api.merchant()
    const buy = (customer: string) =>
      order(day(20), customer, [{ listingId: 'E', merchantId, micros: 1_000_000n }])
    await store(stored.clickhouse, [
      interaction('click', day(17), slot('click_on_edge', 'E'), { customer: 'e1' }),
      interaction('click', day(17, '11:59:59.999'), slot('click_too_early', 'E'), { customer: 'e2' }),
      interaction('impression', day(13), slot('view_on_edge', 'E'), { customer: 'e3' }),
      interaction('impression', day(13, '11:59:59.999'), slot('view_too_early', 'E'), { customer: 'e4' }),
      buy('e1'),
      buy('e2'),
      buy('e3'),
      buy('e4'),
    ])
    expect(await credit({ clickDays: 3, viewDays: 7 })).toEqual({
      click_on_edge: '1/1/1',
      view_on_edge: '1/1/1',
    })
    expect(await credit({ clickDays: 3, viewDays: 0 })).toEqual({ click_on_edge: '1/1/1' })
  })

  it('of touches at the same instant the lowest id earns; an order of two lines is one order', async () => {
    merchantId = await api.merchant()
    await store(stored.clickhouse, [
      interaction('click', day(19), slot('higher_id', 'T'), { customer: 't1', id: 'tie-2' }),
      interaction('click', day(19), slot('lower_id', 'T'), { customer: 't1', id: 'tie-1' }),
      interaction('click', day(19), slot('other_listing', 'U'), { customer: 't1' }),
      order(day(20), 't1', [
        { listingId: 'T', merchantId, micros: 1_000_000n },
        { listingId: 'U', merchantId, micros: 250_000n },
        { listingId: 'untouched', merchantId, micros: 9_000_000n },
      ]),
    ])
    expect(await credit({ clickDays: 7 })).toEqual({ lower_id: '1/1/1', other_listing: '1/1/0.25' })
    const { body } = await ask({
      ...period,
      metrics: ['orders', 'sales'],
      dimensions: ['campaign'],
      filters: { merchant: merchantId },
      attribution: { clickDays: 7 },
    })
    expect(body.totals).toEqual({ orders: 1, sales: '1.25' })
  })

  it("halo: an ad earns its merchant's other listings too, under the listing that was advertised", async () => {
    merchantId = await api.merchant()
    await store(stored.clickhouse, [
      interaction('click', day(19), slot('halo', 'H1'), { customer: 'h1' }),
      order(day(20), 'h1', [{ listingId: 'H2', merchantId, micros: 5_000_000n }]),
    ])
    expect(await credit({ match: 'same' })).toEqual({})
    expect(await credit({ match: 'halo' })).toEqual({ halo: '1/1/5' })
    expect(await credit({ match: 'halo' }, { listing: 'H1' })).toEqual({ halo: '1/1/5' })
    expect(await credit({ match: 'halo' }, { listing: 'H2' })).toEqual({})
  })

  it('the default windows are read as they were kept, each line once, in its newest version', async () => {
    merchantId = await api.merchant()
    const kept = (version: bigint, campaignId: string) => ({
      orderId: 'kept',
      lineId: '0',
      model: 'last_touch',
      orderAtMs: Date.parse(day(20)),
      customerHash: 'k',
      listingId: 'K',
      merchantId,
      quantity: 3,
      salesMicros: 12_000_000n,
      currency: 'EUR',
      touchEventId: 'x',
      touchType: 'click' as const,
      touchAtMs: Date.parse(day(19)),
      auctionId: 'a',
      position: 1,
      placement: 'search',
      searchTerm: 's',
      device: 'mobile',
      modelVersion: 'm',
      campaignId,
      adId: 'ad',
      sponsored: true,
      version,
    })
    await stored.clickhouse.insert(attributionsTable, [kept(1n, 'before')], { token: 'kept-1' })
    await stored.clickhouse.insert(attributionsTable, [kept(2n, 'now')], { token: 'kept-2' })
    expect(await credit({})).toEqual({ now: '1/3/12' })
    expect(await credit({ clickDays: 14, viewDays: 1, match: 'same' })).toEqual({ now: '1/3/12' })
  })
})

describe('currencies', () => {
  it('422: money of several currencies is never added up; counts are', async () => {
    const [euro, dollar] = [await api.merchant(), await api.merchant({ currency: 'USD' })]
    const period = { from: '2025-03-01T00:00:00Z', to: '2025-03-02T00:00:00Z' }
    await store(stored.clickhouse, [
      charge('2025-03-01T10:00:00Z', { merchantId: euro, listingId: 'X' }, { micros: 1_000_000n }),
      charge(
        '2025-03-01T10:00:00Z',
        { merchantId: dollar, listingId: 'Y' },
        { micros: 2_000_000n, currency: 'USD' },
      ),
      interaction('impression', '2025-03-01T10:00:00Z', { merchantId: dollar, listingId: 'Y' }),
    ])
    for (const metric of ['spend', 'cpc', 'roas']) {
      const answer = await ask({ ...period, metrics: [metric], dimensions: ['merchant'] })
      expect(answer, metric).toMatchObject({ status: 422, body: { errors: [{ path: '/filters/merchant' }] } })
    }
    const one = await ask({ ...period, metrics: ['spend'], filters: { merchant: dollar } })
    expect(one.body).toMatchObject({ rows: [{ spend: '2' }], currency: 'USD' })
    expect(await rowsOf({ ...period, metrics: ['impressions'] })).toEqual([{ impressions: 1 }])
  })

  it('422: over-delivery of several currencies is never added up', async () => {
    const [euro, dollar] = [await api.merchant(), await api.merchant({ currency: 'USD' })]
    const period = { from: '2025-03-03T00:00:00Z', to: '2025-03-04T00:00:00Z' }
    const refused = (merchantId: string, currency: string) =>
      charge('2025-03-03T10:00:00Z', { merchantId, listingId: 'X' }, { reason: 'over_budget_day', currency })
    await store(stored.clickhouse, [refused(euro, 'EUR'), refused(dollar, 'USD')])
    expect(await ask({ ...period, metrics: ['overDelivery'] })).toMatchObject({
      status: 422,
      body: { errors: [{ path: '/filters/merchant' }] },
    })
    const one = await ask({ ...period, metrics: ['overDelivery'], filters: { merchant: dollar } })
    expect(one.body).toMatchObject({ rows: [{ overDelivery: '0.5' }], currency: 'USD' })
  })

  it('422: sales in several currencies are never added up', async () => {
    const merchantId = await api.merchant()
    const line = { listingId: 'S', merchantId, micros: 1_000_000n }
    await store(stored.clickhouse, [
      interaction('click', '2025-04-01T09:00:00Z', { merchantId, listingId: 'S' }, { customer: 's' }),
      order('2025-04-01T10:00:00Z', 's', [line]),
      order('2025-04-01T10:00:00Z', 's', [line], 'JPY'),
    ])
    const query = { from: '2025-04-01T00:00:00Z', to: '2025-04-02T00:00:00Z', attribution: { clickDays: 1 } }
    expect((await ask({ ...query, metrics: ['sales'] })).status).toBe(422)
    expect(await rowsOf({ ...query, metrics: ['orders'] })).toEqual([{ orders: 2 }])
  })
})
