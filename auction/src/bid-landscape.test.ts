import { describe, expect, it } from 'vitest'
import { createBidLandscape } from './bid-landscape.js'
import type { LoggedAuction } from './logged-auction.js'
import { HOUSE_RULES, bidder as houseBidder } from './testing/bidder.js'
import { logged } from './testing/logged.js'

const bidder = (name: string, bidMicros: bigint) => houseBidder(name, '0', { bidMicros, pctr: 0.04 })
const landscape = (auctions: LoggedAuction[], campaignId: string, changes: number[]) => {
  const sum = createBidLandscape(campaignId, changes)
  for (const auction of auctions) sum.add(auction)
  return sum.result()
}

describe('a bid landscape', () => {
  const auction = logged(
    'auc_1',
    [bidder('a', 500_000n), bidder('b', 450_000n), bidder('c', 200_000n)],
    2,
    HOUSE_RULES,
  )

  it('says what other bids would have won, and at what price', () => {
    const { bids, points } = landscape([auction], 'c-b', [-60, 0, 25])
    expect(bids).toBe(1)
    // 0.18 is below 0.20; 0.45 takes the second slot at 0.20; 0.5625 the first one at 0.50.
    expect(points).toEqual([
      { changePercent: -60, wins: 0, clicks: 0, spendMicros: 0 },
      { changePercent: 0, wins: 1, clicks: 0.02, spendMicros: 0.02 * 200_000 },
      { changePercent: 25, wins: 1, clicks: 0.04, spendMicros: 0.04 * 500_000 },
    ])
  })

  it('counts a sampled loser as many times as it stands for others', () => {
    const sampled = {
      ...auction,
      bidders: auction.bidders.map((b) => (b.adId === 'c' ? { ...b, sampleProbability: 0.25 } : b)),
    }
    const { bids, points } = landscape([sampled, auction], 'c-c', [0, 150])
    expect(bids).toBe(5)
    expect(points.map(({ wins }) => wins)).toEqual([0, 5])
  })

  it('estimates without bias: samples of losers add up to what all auctions would have said', () => {
    const field = Array.from({ length: 12 }, (_, i) => bidder(`x${i}`, 500_000n - BigInt(i) * 10_000n))
    const whole = logged('auc_1', field, 2, HOUSE_RULES)
    const all: LoggedAuction = {
      ...whole,
      bidders: field.map((b) => {
        const known = whole.bidders.find(({ adId }) => adId === b.adId) ?? whole.bidders.at(-1)!
        return { ...known, ...b, sampleProbability: 1 }
      }),
    }
    // Each of the losers with no part in it in a sample of its own, of which it is a ninth.
    const others = field.slice(3)
    const samples = others.map((kept) => ({
      ...all,
      bidders: all.bidders
        .filter(({ adId }) => adId === kept.adId || !others.some((other) => other.adId === adId))
        .map((b) => (b.adId === kept.adId ? { ...b, sampleProbability: 1 / others.length } : b)),
    }))
    const truth = landscape(Array(samples.length).fill(all), 'c-x6', [25]).points[0]!
    const estimate = landscape(samples, 'c-x6', [25]).points[0]!
    expect(estimate.wins).toBeCloseTo(truth.wins, 9)
    expect(estimate.spendMicros).toBeCloseTo(truth.spendMicros, 6)
  })

  it('prices a cpm bid by the impression', () => {
    const cpm = logged(
      'auc_1',
      [{ ...bidder('a', 25_000_000n), pricing: 'cpm' as const }, bidder('b', 500_000n)],
      1,
      HOUSE_RULES,
    )
    // b scores 0.5 × 0.04 = 0.02 an impression, 20 a thousand.
    expect(landscape([cpm], 'c-a', [0]).points[0]).toMatchObject({ wins: 1, spendMicros: 20_000 })
  })

  it('does not sell slots that the page did not reach', () => {
    const short: LoggedAuction = {
      ...auction,
      bidders: auction.bidders.map((b) =>
        b.adId === 'b' ? { ...b, position: 0, priceMicros: 0n, reason: 'page_ended' } : b,
      ),
    }
    expect(landscape([short], 'c-b', [0, 25]).points.map(({ wins }) => wins)).toEqual([0, 1])
  })
})
