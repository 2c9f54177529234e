import type { AuctionRules } from '@endcap/auction'
import type { CampaignState, ChangeData } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AdIndex } from '../../index/ad-index.js'
import { campaignChange, listingChange, merchantChange } from '../../test-support/ad-server-harness.js'
import { Candidate } from '../candidate.js'
import { DropLedger } from '../drop-reasons.js'
import { shortlist } from './shortlist.js'

const RULES: AuctionRules = {
  reserveMicros: 100_000n,
  reserveCpmMicros: 1_000_000n,
  squashing: 1,
  maxPerMerchant: 2,
}

interface Ad {
  readonly merchant: string
  readonly bid: number
  readonly over?: Partial<CampaignState>
  readonly relevance?: number
  readonly remaining?: bigint
  readonly multiplier?: number
}

/** One campaign and listing an ad, named a0, a1, …; as filtering lets them through. */
function candidatesOf(ads: readonly Ad[]): Candidate[] {
  const index = new AdIndex()
  const apply = (change: object): void => {
    index.apply({ ...change, sequence: String(index.changes + 1) } as ChangeData)
  }
  for (const merchant of new Set(ads.map((ad) => ad.merchant))) apply(merchantChange(merchant))
  ads.forEach(({ merchant, bid, over }, nth) => {
    apply(listingChange(`a${nth}`, merchant))
    apply(campaignChange(`c${nth}`, merchant, [`a${nth}`], { bidMicros: String(bid), ...over }))
  })
  return ads.map(({ relevance = 1, remaining, multiplier = 1 }, nth) => {
    const campaign = index.campaign(`c${nth}`)!
    const ad = campaign.ads[0]!
    return new Candidate(campaign, ad, ad.listing!, '', 'EUR', relevance, remaining, multiplier)
  })
}

function listed(ads: readonly Ad[], maxCandidates: number, rates: Record<string, number> = {}) {
  const drops = new DropLedger(true)
  const kept = shortlist(
    candidatesOf(ads),
    {
      maxCandidates,
      rules: RULES,
      predictEarly: (all) => all.map(({ listingId }) => ({ pctr: rates[listingId] ?? 0.05, pcvr: 0.02 })),
    },
    drops,
  )
  expect(drops.details.every(({ reason }) => reason === 'retrieval_limit')).toBe(true)
  expect(kept.length + drops.details.length).toBe(ads.length)
  return kept.map(({ listingId }) => listingId).sort()
}

describe('the shortlist', () => {
  it('keeps everybody while there is room', () => {
    const ads = Array.from({ length: 4 }, (_, i) => ({ merchant: 'm', bid: i }))
    expect(listed(ads, 4)).toEqual(['a0', 'a1', 'a2', 'a3'])
  })

  it('lets no merchant crowd out another by the number of its ads', () => {
    const many = Array.from({ length: 600 }, () => ({ merchant: 'many', bid: 1_000_000 }))
    expect(listed([...many, { merchant: 'one', bid: 990_000 }], 500)).toContain('a600')
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            merchant: fc.constantFrom('p', 'q', 'r'),
            bid: fc.integer({ min: 200_000, max: 9e6 }),
          }),
          { maxLength: 12 },
        ),
        fc.integer({ min: 3, max: 6 }),
        (ads, limit) => {
          const kept = listed(ads, limit).map((id) => ads[Number(id.slice(1))]!)
          // Each has its best ad in, and none has two more than another that lost some.
          for (const merchant of new Set(ads.map((ad) => ad.merchant))) {
            const own = ads.filter((ad) => ad.merchant === merchant)
            const in_ = kept.filter((ad) => ad.merchant === merchant)
            expect(Math.max(...in_.map(({ bid }) => bid))).toBe(Math.max(...own.map(({ bid }) => bid)))
            if (in_.length === own.length) continue
            for (const other of new Set(kept.map((ad) => ad.merchant))) {
              const theirs = kept.filter((ad) => ad.merchant === other).length
              expect(theirs).toBeLessThanOrEqual(in_.length + 1)
            }
          }
        },
      ),
      { numRuns: 300, seed: 5 },
    )
  })

  it('goes by what an ad is expected to earn, not by what it bids', () => {
    const ads = [
      { merchant: 'm', bid: 900_000 },
      { merchant: 'm', bid: 500_000 },
      { merchant: 'm', bid: 2_000_000, relevance: 0.1 },
    ]
    expect(listed(ads, 1, { a0: 0.01, a1: 0.05 })).toEqual(['a1'])
    // 20.00 a thousand is 0.02 an impression, 0.50 a click at 5 % is 0.025.
    const cpm = { merchant: 'm', bid: 20_000_000, over: { pricing: 'cpm' as const } }
    expect(listed([cpm, ...ads.slice(1)], 1)).toEqual(['a1'])
    expect(listed([{ ...cpm, bid: 26_000_000 }, ...ads.slice(1)], 1)).toEqual(['a0'])
  })

  it('counts bids as they would enter the auction: after target ROAS, pacing and what is left', () => {
    const plain = { merchant: 'n', bid: 200_000 }
    for (const held of [
      // An order of 50.00 at 2 % is worth 0.001 a click at a target of 1000.
      { merchant: 'm', bid: 1e12, over: { targetRoas: 1000 } },
      { merchant: 'm', bid: 1e12, multiplier: 0.000_000_01 },
      { merchant: 'm', bid: 1e12, remaining: 50_000n },
    ]) {
      expect(listed([held, held, plain], 1), JSON.stringify(held.over)).toEqual(['a2'])
    }
  })

  it('gives no turn to a bid below the reserve before all others have had theirs', () => {
    const ads = [
      { merchant: 'm', bid: 900_000 },
      { merchant: 'm', bid: 800_000 },
      { merchant: 'n', bid: 99_999 },
      { merchant: 'o', bid: 999_999, over: { pricing: 'cpm' as const } },
    ]
    expect(listed(ads, 2)).toEqual(['a0', 'a1'])
    expect(listed(ads, 3)).toEqual(['a0', 'a1', 'a2'])
  })

  it('is the same whatever the order of the ads', () => {
    const ads = Array.from({ length: 9 }, (_, i) => ({ merchant: `m${i % 2}`, bid: 500_000 }))
    const pick = (all: Candidate[]) =>
      shortlist(
        all,
        { maxCandidates: 4, rules: RULES, predictEarly: (ones) => ones },
        new DropLedger(false),
      ).map(({ adId }) => adId)
    expect(pick(candidatesOf(ads).reverse()).sort()).toEqual(pick(candidatesOf(ads)).sort())
  })
})
