import { exportCase, type LoggedBidder } from '@endcap/auction'
import { describe, expect, it } from 'vitest'
import { runAuctionCase } from './run-case.js'

const bidder = (n: number, fields: Partial<LoggedBidder>): LoggedBidder => ({
  adId: `ad_${n}`,
  merchantId: `m${n}`,
  listingId: `S${n}`,
  campaignId: `c${n}`,
  pricing: 'cpc',
  bidMicros: 900_000n - BigInt(n) * 100_000n,
  pctr: Math.fround(0.0312345678),
  pcvr: 0.01,
  relevance: 1 / 3,
  position: 0,
  priceMicros: 0n,
  reason: '',
  sampleProbability: 1,
  organicRank: 0,
  organicScore: null,
  ...fields,
})
const exported = (bidders: LoggedBidder[], reserveRule = 'search') =>
  exportCase(
    {
      auctionId: 'auc_1',
      currency: 'EUR',
      rules: {
        reserveMicros: 100_000n,
        reserveCpmMicros: 0n,
        squashing: 0.7,
        maxPerMerchant: 2,
        reserveRule,
      },
      totalSlots: 6,
      forSale: [1, 3],
      bidders,
    },
    {
      occurredAt: '2026-01-05T12:00:00.000Z',
      placement: 'search',
      query: '',
      categories: [],
      device: 'mobile',
      organic: [],
    },
  )

describe('a case exported from the log', () => {
  it('ends its page where the logged one did, also when the only organic result was sold', () => {
    const json = exported([
      bidder(1, { position: 1, priceMicros: 700_000n, organicRank: 1, organicScore: 9 }),
      bidder(2, { reason: 'page_ended' }),
    ])
    const { slots, outcomes, differences } = runAuctionCase(json)
    expect(differences).toEqual([])
    expect(slots.map(({ position, listingId }) => [position, listingId])).toEqual([[1, 'S1']])
    expect(outcomes.map(({ reason }) => reason)).toEqual(['second_price', 'page_ended'])
  })

  it('keeps out whose bid had come to nothing', () => {
    const json = exported([
      bidder(1, { position: 1, priceMicros: 100_000n }),
      bidder(2, { bidMicros: 0n, reason: 'below_reserve' }),
    ])
    const { outcomes, differences } = runAuctionCase(json)
    expect(differences).toEqual([])
    expect(outcomes.map(({ reason, bid }) => [reason, bid])).toEqual([
      ['reserve_price', '0.800000'],
      ['below_reserve', '0.000000'],
    ])
  })

  it('is held by the rules that were logged, under the same name', () => {
    const alone = bidder(1, { position: 1, priceMicros: 100_000n })
    for (const reserveRule of ['search', '']) {
      const { rules, differences } = runAuctionCase(exported([alone], reserveRule))
      expect(differences).toEqual([])
      expect(rules).toEqual({
        reserve: '0.100000',
        reserveCpm: '0.000000',
        reserveRule: reserveRule || null,
        squashing: 0.7,
        maxPerMerchant: 2,
      })
    }
  })

  it('names no reserve but the one that held, so that changing it changes the auction', () => {
    const alone = bidder(1, { position: 1, priceMicros: 100_000n })
    const { rules } = exported([alone])
    expect(rules).not.toHaveProperty('reserve')
    expect(rules).not.toHaveProperty('reserveCpm')
    expect(exported([alone], '').rules).toMatchObject({ reserve: '0.100000', reserveCpm: '0.000000' })
  })
})
