import {
  type AuctionEvent,
  auctionEvent,
  DEFAULT_RULES_STATE,
  RULES_ID,
  type RulesState,
  rankAnswer,
  TOPICS,
} from '@endcap/contracts'
import { createDirectSink } from '@endcap/platform/event-log'
import { badInputBattery } from '@endcap/platform/http'
import { FEATURE_COUNT } from '@endcap/ranking'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AdServerHarness,
  BROWSER,
  breakableSink,
  campaignChange,
  KEYS,
  listingChange,
  merchantChange,
  rankBodyOf,
  sealer,
  startAdServer,
} from '../../test-support/ad-server-harness.js'

let ads: AdServerHarness
const sink = breakableSink(() => createDirectSink(ads.log))
beforeAll(async () => {
  ads = await startAdServer({ sink })
})
afterAll(() => ads.close())

const rank = (over: Record<string, unknown> = {}, key?: string, query = '') =>
  ads.post(`/v1/rank${query}`, rankBodyOf(over), key)

describe('POST /v1/rank', () => {
  it('200: one list of organic and sponsored slots, each with a token, prices nowhere', async () => {
    const answer = await rank()
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    const body = rankAnswer.strict().parse(answer.json())
    expect(body.slots.map((slot) => [slot.position, slot.sponsored, slot.listingId])).toEqual([
      [1, true, 'S1'],
      [2, false, 'O1'],
      [3, false, 'O2'],
      [4, true, 'S2'],
      [5, false, 'O3'],
      [6, false, 'O4'],
    ])
    expect(body.degraded).toEqual(['model_unavailable'])
    expect(body.requestId).toBe(answer.headers['x-request-id'])
    expect(answer.body).not.toMatch(/price|bid|score/i)
    const opened = body.slots.map((slot) => sealer.open(slot.token))
    for (const [i, token] of opened.entries()) {
      expect(token).toMatchObject({
        ok: true,
        token: {
          auctionId: body.auctionId,
          position: i + 1,
          expiresAtMs: ads.now + 48 * 3_600_000,
          placement: 'search',
          searchTerm: 'red running shoes',
        },
      })
    }
    expect(opened[0]).toMatchObject({
      token: { merchantId: 'm1', campaignId: 'cmp_1', pricing: 'cpc', currency: 'EUR', sponsored: true },
    })
    expect(opened[1]).toMatchObject({
      token: { merchantId: 'm9', priceMicros: 0n, pricing: '', sponsored: false },
    })
    const first = opened[0]!
    // Same quality, so the second bid is the price.
    expect(first.ok && first.token.priceMicros).toBe(600_000n)
  })

  it('records the auction as served: shown slots and losers with their features, people only as hashes', async () => {
    const body = (await rank({ slots: { total: 3, sponsored: [2] } })).json()
    const event = (await ads.events<AuctionEvent>(TOPICS.auctions)).find((e) => e.key === body.auctionId)
    const { data } = auctionEvent.parse(event)
    expect(data.candidates.map((c) => [c.position, c.listingId, c.outcome, c.reason])).toEqual([
      [1, 'O1', 'shown', ''],
      [2, 'S1', 'shown', ''],
      [3, 'O2', 'shown', ''],
      [0, 'S2', 'outranked', 'outranked'],
      [0, 'S3', 'outranked', 'outranked'],
    ])
    expect(Buffer.from(data.features, 'base64').length).toBe(5 * FEATURE_COUNT * 4)
    expect(data.drops).toEqual({ outranked: 2 })
    expect(data.candidates[1]).toMatchObject({ priceMicros: '600000', bidMicros: '900000', merchantId: 'm1' })
    expect(data.candidates.slice(3).map((c) => c.sampleProbability)).toEqual([1, 1])
    expect(data.terms).toEqual({
      currency: 'EUR',
      reserveRule: '',
      reserveMicros: '10000',
      reserveCpmMicros: '100000',
      squashing: 1,
      maxPerMerchant: 2,
      totalSlots: 3,
      forSale: [2],
    })
    expect(data.customerHash).toMatch(/^[\w-]{22}$/)
    expect(JSON.stringify(data)).not.toMatch(/c-17|s-9/)
  })

  it('prints any text faithfully, in the answer and in the log', async () => {
    const odd = 'L"\\</script>\u2028靴'
    const body = (
      await rank({
        query: `a"b\\c\n red ${'x'.repeat(188)}👟`,
        organic: [{ listingId: odd, score: -1e300 }],
        slots: { total: 1 },
      })
    ).json()
    expect(body.slots[0].listingId).toBe(odd)
    const event = (await ads.events<AuctionEvent>(TOPICS.auctions)).find((e) => e.key === body.auctionId)
    const { data } = auctionEvent.parse(event)
    expect(data.candidates[0]).toMatchObject({ listingId: odd, organicScore: -1e300, organicRank: 1 })
    expect(data.query).toBe(`a"b\\c\n red ${'x'.repeat(188)}`)
  })

  it('keeps nothing of a customer who refused', async () => {
    const body = (await rank({ customer: { id: 'c-17', sessionId: 's-9', consent: false } })).json()
    const event = (await ads.events<AuctionEvent>(TOPICS.auctions)).find((e) => e.key === body.auctionId)!
    expect(event.data).toMatchObject({ customerHash: '', sessionHash: '' })
    expect(sealer.open(body.slots[0].token)).toMatchObject({ token: { anonymous: true } })
  })

  it('shows a listing once, though it is organic twice and sponsored', async () => {
    const organic = ['S1', 'O1', 'S1', 'S3', 'O1', 'O2'].map((listingId) => ({ listingId, score: 1 }))
    const body = (await rank({ organic, slots: { total: 24, sponsored: [2, 3] } })).json()
    const shown = body.slots.map((slot: { listingId: string }) => slot.listingId)
    expect(shown).toEqual(['O1', 'S1', 'S2', 'S3', 'O2'])
  })

  it('gives sponsored positions without a winner to organic results, and ends where listings end', async () => {
    const body = (await rank({ slots: { total: 24, sponsored: [1, 2, 3, 4, 5, 6] } })).json()
    expect(body.slots.map((slot: { listingId: string }) => slot.listingId)).toEqual([
      'S1',
      'S2',
      'S3',
      'O1',
      'O2',
      'O3',
      'O4',
      'O5',
    ])
    const none = (await rank({ placement: 'search', slots: { total: 2, sponsored: [] } })).json()
    expect(none.slots.map((slot: { sponsored: boolean }) => slot.sponsored)).toEqual([false, false])
  })

  it('fills the page with every winner that it can reach, also when one is the only organic result', async () => {
    const body = (
      await rank({
        organic: [{ listingId: 'S3', score: 1 }],
        slots: { total: 8, sponsored: [1, 3, 5] },
      })
    ).json()
    expect(body.slots.map((slot: { listingId: string }) => slot.listingId)).toEqual(['S1', 'S3', 'S2'])
  })

  it('lays out sponsored slots alone when the request brings no organic results', async () => {
    const body = (await rank({ organic: [], slots: { total: 24, sponsored: [1, 5] } })).json()
    expect(
      body.slots.map((slot: { position: number; listingId: string }) => [slot.position, slot.listingId]),
    ).toEqual([
      [1, 'S1'],
      [5, 'S2'],
    ])
  })

  it('explains to operators why each ad won, lost or dropped; 403 for everyone else', async () => {
    await ads.change(campaignChange('cmp_4', 'm3', ['S3'], { placements: ['home'] }))
    const answer = await rank({ slots: { total: 3, sponsored: [1] } }, KEYS.operator, '?explain=1')
    const { explain } = rankAnswer.parse(answer.json())
    expect(explain!.candidates.map((c) => [c.campaignId, c.outcome, c.reason, c.price])).toEqual([
      ['cmp_1', 'won', 'second_price', '0.600000'],
      ['cmp_2', 'outranked', 'outranked', null],
      ['cmp_3', 'outranked', 'outranked', null],
      ['cmp_4', 'dropped', 'placement', null],
    ])
    expect((await rank({}, KEYS.serve, '?explain=1')).statusCode).toBe(403)
    expect((await rank({}, KEYS.operator, '?explain=yes')).json().errors[0].path).toBe('?explain')
  })

  it('says how many dropped ads an explanation has no room for', async () => {
    const listings = Array.from({ length: 1000 }, (_, i) => `X${i}`)
    const elsewhere = { placements: ['home'] }
    await ads.change(
      ...Array.from({ length: 11 }, (_, i) => campaignChange(`cmp_x${i}`, 'm3', listings, elsewhere)),
    )
    const { explain } = rankAnswer.parse((await rank({}, KEYS.operator, '?explain=1')).json())
    const placement = explain!.candidates.filter(({ reason }) => reason === 'placement')
    expect(placement.length + explain!.omitted).toBeGreaterThanOrEqual(11_000)
    expect(explain!.omitted).toBeGreaterThan(0)
    expect(explain!.candidates.length).toBeGreaterThanOrEqual(10_000)
    await ads.change(
      ...Array.from({ length: 11 }, (_, i) =>
        campaignChange(`cmp_x${i}`, 'm3', listings, { ...elsewhere, status: 'archived' }),
      ),
    )
  })

  it('explains bid, score and price of a winner with their arithmetic', async () => {
    const { explain } = rankAnswer.parse(
      (await rank({ slots: { total: 6, sponsored: [4, 1] } }, KEYS.operator, '?explain=1')).json(),
    )
    const [first, second, third] = explain!.candidates
    expect(explain).toMatchObject({
      forSale: [1, 4],
      rules: { reserve: '0.010000', reserveRule: null, squashing: 1, maxPerMerchant: 2 },
    })
    expect(first).toMatchObject({
      adId: 'ad_cmp_1_S1',
      merchantId: 'm1',
      pricing: 'cpc',
      bid: '0.900000',
      tieDraw: null,
      bidding: {
        maxBid: '0.900000',
        targetRoas: null,
        afterTargetRoas: '0.900000',
        multiplier: 1,
        afterPacing: '0.900000',
        remaining: '10.000000',
        final: '0.900000',
      },
      pricedBy: {
        next: { adId: 'ad_cmp_2_S2', listingId: 'S2', campaignId: 'cmp_2' },
        nextScore: second!.score,
        bidForNextScore: '0.600000',
        reserve: '0.010000',
        reserveRule: null,
        cap: '0.900000',
        decidedBy: 'next_score',
        // Equal qualities: 0.60 × (1 − 1/4) + 0.30 × 1/4.
        vcgPrice: '0.525000',
      },
    })
    expect(first!.weight).toBeCloseTo(first!.pctr! * first!.relevance!, 12)
    expect(first!.score).toBeCloseTo(0.9 * first!.weight!, 12)
    expect(third).toMatchObject({ outcome: 'outranked', pricedBy: null, bidding: { final: '0.300000' } })
  })

  it('sells by the rules that the operator last laid down, and logs which of them held', async () => {
    const rules = (reserves: RulesState['reserves']) =>
      ads.change({ kind: 'rules', id: RULES_ID, state: { ...DEFAULT_RULES_STATE, reserves } })
    const none = { placement: null, category: null, reserveCpmMicros: '0' }
    await rules([
      { ...none, name: 'search', placement: 'search', reserveMicros: '450000' },
      { ...none, name: 'shoes', category: 'shoes', reserveMicros: '700000' },
    ])
    const answer = await rank({}, KEYS.operator, '?explain=1')
    await rules([])
    const { auctionId, explain } = rankAnswer.parse(answer.json())
    expect(explain!.rules).toMatchObject({ reserveRule: 'shoes', reserve: '0.700000' })
    expect(explain!.candidates.slice(0, 3).map((c) => [c.campaignId, c.reason, c.price])).toEqual([
      ['cmp_1', 'reserve_price', '0.700000'],
      ['cmp_2', 'below_reserve', null],
      ['cmp_3', 'below_reserve', null],
    ])
    const event = (await ads.events<AuctionEvent>(TOPICS.auctions)).find((e) => e.key === auctionId)
    expect(event!.data.terms).toMatchObject({ reserveRule: 'shoes', reserveMicros: '700000' })
    const after = rankAnswer.parse((await rank({}, KEYS.operator, '?explain=1')).json())
    expect(after.explain!.rules.reserveRule).toBeNull()
  })

  it('logs everyone who had to do with the result, and the others with the probability of having been drawn', async () => {
    const rivals = Array.from({ length: 20 }, (_, i) => `R${i}`)
    await ads.change(
      merchantChange('m5'),
      ...rivals.flatMap((id, i) => [
        merchantChange(`m_${id}`),
        listingChange(id, i < 3 ? 'm5' : `m_${id}`),
        campaignChange(`cmp_${id}`, i < 3 ? 'm5' : `m_${id}`, [id], {
          bidMicros: `${2_000_000 - i * 10_000}`,
        }),
      ]),
    )
    const wallets = Object.fromEntries(rivals.map((id) => [`m_${id}`, 100_000_000n]))
    await ads.publishBudgets({ wallets: { ...wallets, m5: 100_000_000n } })
    const { auctionId } = (await rank({ slots: { total: 6, sponsored: [1, 2, 3] } })).json()
    await ads.change(
      ...rivals.map((id, i) =>
        campaignChange(`cmp_${id}`, i < 3 ? 'm5' : `m_${id}`, [id], { status: 'archived' }),
      ),
    )
    const event = (await ads.events<AuctionEvent>(TOPICS.auctions)).find((e) => e.key === auctionId)
    const { candidates } = auctionEvent.parse(event).data
    const sponsored = candidates.filter((c) => c.sponsored)
    expect(sponsored.slice(0, 5).map((c) => [c.listingId, c.reason, c.sampleProbability])).toEqual([
      ['R0', '', 1],
      ['R1', '', 1],
      ['R3', '', 1],
      // Passed over, and the one that sets the last price.
      ['R2', 'merchant_limit', 1],
      ['R4', 'outranked', 1],
    ])
    // Of the 18 others eight are drawn.
    expect(sponsored.slice(5).map((c) => c.sampleProbability)).toEqual(Array(8).fill(8 / 18))
  })

  it('401 without a key, 403 with another scope, 422 with the field', async () => {
    expect((await rank({}, 'ek_unknown')).statusCode).toBe(401)
    expect((await rank({}, KEYS.orders)).statusCode).toBe(403)
    const bad = await rank({ slots: { total: 2, sponsored: [3] }, extra: 1 })
    expect(bad.statusCode).toBe(422)
    expect(bad.json().errors.map((e: { path: string }) => e.path)).toContain('/extra')
  })

  it('answers bad input with typed errors, never a 5xx', async () => {
    const fired = await badInputBattery(ads.app, {
      method: 'POST',
      url: '/v1/rank',
      validBody: { ...rankBodyOf(), location: { lat: 52.5, lng: 13.4 } },
      key: KEYS.serve,
      wrongScopeKey: KEYS.orders,
      lenient: ['/query'],
    })
    expect(fired).toBeGreaterThan(20)
  })

  it('sells nothing that cannot be recorded: the organic list goes out, and says so', async () => {
    sink.broken = true
    for (const silent of [false, true]) {
      // Known beforehand, or found out only when writing.
      sink.silent = silent
      const answer = await rank()
      expect(answer.statusCode).toBe(200)
      expect(answer.json().slots.map((slot: { listingId: string }) => slot.listingId)).toEqual([
        'O1',
        'O2',
        'O3',
        'O4',
        'O5',
      ])
      expect(answer.json().degraded).toContain('spool_full')
    }
    sink.silent = false
    const readiness = await Promise.all(ads.server.components.map((component) => component.problem?.()))
    expect(readiness).toContain('the spool is full')
    sink.broken = false
  })

  it('does not sell for an empty wallet, a spent day, or a spent total', async () => {
    await ads.publishBudgets({
      wallets: { m1: 0n },
      spent: { cmp_2: { day: '2026-01-05', spentDay: 10_000_000n, spentTotal: 10_000_000n } },
    })
    const spent = (await rank({ slots: { total: 3, sponsored: [1] } }, KEYS.operator, '?explain=1')).json()
    expect(spent.slots[0].listingId).toBe('S3')
    expect(
      spent.explain.candidates.map((c: { campaignId: string; reason: string }) => [c.campaignId, c.reason]),
    ).toContainEqual(['cmp_1', 'wallet_empty'])
    expect(
      spent.explain.candidates.map((c: { campaignId: string; reason: string }) => [c.campaignId, c.reason]),
    ).toContainEqual(['cmp_2', 'budget_day_spent'])
    // The next day nothing of the day's budget is spent.
    await ads.publishBudgets({
      wallets: { m1: 0n },
      spent: { cmp_2: { day: '2026-01-04', spentDay: 10_000_000n, spentTotal: 10_000_000n } },
    })
    expect((await rank({ slots: { total: 3, sponsored: [1] } })).json().slots[0].listingId).toBe('S2')
    await ads.publishBudgets()
  })

  it('keeps the last budget view when the store was emptied, and calls it stale', async () => {
    ads.now += 20_000
    const body = (await rank()).json()
    expect(body.degraded).toContain('budget_view_stale')
    expect(body.slots[0].listingId).toBe('S1')
    await ads.publishBudgets()
    expect((await rank()).json().degraded).not.toContain('budget_view_stale')
  })

  it('stops showing a campaign to a customer who has seen it often enough', async () => {
    await ads.change(
      campaignChange('cmp_1', 'm1', ['S1'], {
        bidMicros: '900000',
        frequencyCap: { hour: 2 },
      }),
    )
    const ask = { customer: { id: 'capped', consent: true }, slots: { total: 2, sponsored: [1] } }
    for (let i = 0; i < 2; i++) {
      const body = (await rank(ask)).json()
      expect(body.slots[0].listingId).toBe('S1')
      await ads.get(new URL(body.slots[0].impressionUrl).pathname, { 'user-agent': BROWSER })
    }
    expect((await rank(ask)).json().slots[0].listingId).toBe('S2')
    expect((await rank({ ...ask, customer: { id: 'other' } })).json().slots[0].listingId).toBe('S1')
    ads.now += 3_600_001
    await ads.publishBudgets()
    expect((await rank(ask)).json().slots[0].listingId).toBe('S1')
  })
})
