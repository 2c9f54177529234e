import { auctionsAnswer, NO_TARGETING } from '@endcap/contracts'
import { badInputBattery } from '@endcap/platform/http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AdServerHarness,
  campaignChange,
  KEYS,
  sealer,
  startAdServer,
} from '../../test-support/ad-server-harness.js'

let ads: AdServerHarness
beforeAll(async () => {
  ads = await startAdServer()
})
afterAll(() => ads.close())

const one = { placement: 'search', slots: 2, query: 'red shoes' }

describe('POST /v1/auctions', () => {
  it('200: winners of each auction by rank, without prices', async () => {
    const answer = await ads.post('/v1/auctions', {
      auctions: [one, { placement: 'search', slots: 1, listings: ['S3'] }],
    })
    expect(answer.statusCode).toBe(200)
    const { results } = auctionsAnswer.parse(answer.json())
    expect(results.map((result) => result.winners.map((w) => [w.rank, w.listingId]))).toEqual([
      [
        [1, 'S1'],
        [2, 'S2'],
      ],
      [[1, 'S3']],
    ])
    expect(answer.body).not.toContain('price')
    expect(sealer.open(results[0]!.winners[1]!.token)).toMatchObject({
      ok: true,
      token: { auctionId: results[0]!.auctionId, position: 2, priceMicros: 300_000n },
    })
  })
  it('shows prices to operators only, and explains to them', async () => {
    const answer = await ads.post('/v1/auctions?explain=1', { auctions: [one] }, KEYS.operator)
    const [result] = auctionsAnswer.parse(answer.json()).results
    expect(result!.winners.map((w) => [w.price, w.pricing])).toEqual([
      ['0.600000', 'cpc'],
      ['0.300000', 'cpc'],
    ])
    expect(result!.explain!.candidates).toHaveLength(3)
    expect(result!.explain!.candidates[0]!.pricedBy).toMatchObject({
      next: { campaignId: 'cmp_2' },
      bidForNextScore: '0.600000',
    })
    expect((await ads.post('/v1/auctions?explain=1', { auctions: [one] })).statusCode).toBe(403)
  })
  it('lets a bad auction fail alone', async () => {
    const { results } = (
      await ads.post('/v1/auctions', { auctions: [{ placement: 'search', slots: 0 }, one, 'x'] })
    ).json()
    expect(results[0]).toMatchObject({
      winners: [],
      error: { code: 'validation_failed', errors: [{ path: '/auctions/0/slots' }] },
    })
    expect(results[1].winners).toHaveLength(2)
    expect(results[2].error.errors[0].path).toBe('/auctions/2')
  })
  it('lets an auction with text that cannot be stored fail alone', async () => {
    const answer = await ads.post('/v1/auctions', {
      auctions: [
        { ...one, query: 'red\u0000' },
        { ...one, query: '\ud83d' },
        one,
        { ...one, listings: ['\ud83d'] },
      ],
    })
    expect(answer.statusCode).toBe(200)
    const { results } = answer.json()
    expect(results[0].error.errors[0].path).toBe('/auctions/0/query')
    expect(results[1].error.errors[0].path).toBe('/auctions/1/query')
    expect(results[2].winners).toHaveLength(2)
    expect(results[3].error.errors[0].path).toBe('/auctions/3/listings/0')
  })
  it('lets campaigns that target a named listing in', async () => {
    await ads.change(
      campaignChange('cmp_9', 'm9', ['O1'], {
        targeting: { ...NO_TARGETING, items: ['O1'] },
      }),
    )
    await ads.publishBudgets({ wallets: { m9: 5_000_000n } })
    const wins = async (body: object) =>
      (await ads.post('/v1/auctions', { auctions: [{ placement: 'p', slots: 5, ...body }] }))
        .json()
        .results[0].winners.map((w: { listingId: string }) => w.listingId)
    expect(await wins({ listings: ['O1'] })).toEqual(['O1'])
    expect(await wins({})).not.toContain('O1')
  })
  it('takes five auctions, and draws one of its own for each', async () => {
    const { results } = auctionsAnswer.parse(
      (await ads.post('/v1/auctions', { auctions: [one, one, one, one, one] })).json(),
    )
    expect(new Set(results.map(({ auctionId }) => auctionId)).size).toBe(5)
    expect(results.every(({ winners }) => winners.length === 2)).toBe(true)
  })
  it('400, 413 and 415', async () => {
    const send = (payload: string, type = 'application/json') =>
      ads.app.inject({
        method: 'POST',
        url: '/v1/auctions',
        headers: { authorization: `Bearer ${KEYS.serve}`, 'content-type': type },
        payload,
      })
    expect((await send('{"auctions":')).statusCode).toBe(400)
    expect((await send(`{"auctions":["${'x'.repeat(1 << 20)}"]}`)).statusCode).toBe(413)
    expect((await send('{}', 'text/plain')).statusCode).toBe(415)
  })
  it('401, 403 and 422', async () => {
    expect((await ads.post('/v1/auctions', { auctions: [one] }, 'ek_none')).statusCode).toBe(401)
    expect((await ads.post('/v1/auctions', { auctions: [one] }, KEYS.events)).statusCode).toBe(403)
    expect((await ads.post('/v1/auctions', { auctions: [] })).statusCode).toBe(422)
    expect((await ads.post('/v1/auctions', { auctions: [one, one, one, one, one, one] })).statusCode).toBe(
      422,
    )
  })
  it('answers bad input with typed errors, never a 5xx', async () => {
    await badInputBattery(ads.app, {
      method: 'POST',
      url: '/v1/auctions',
      validBody: { auctions: [one], customer: { id: 'c', consent: true } },
      key: KEYS.serve,
      wrongScopeKey: KEYS.events,
      lenient: ['/auctions/0'],
    })
  })
})
