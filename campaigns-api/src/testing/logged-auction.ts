import type { AuctionEvent } from '@endcap/contracts'
import { auction } from './report-events.js'

export interface TestBidder {
  readonly campaignId: string
  readonly merchantId: string
  readonly bidMicros: number
  /** 0: not shown. */
  readonly position: number
  readonly priceMicros?: number
  readonly reason?: string
  readonly sampleProbability?: number
}

/** Click rate of every bidder; all are equally relevant, so that bids alone decide. */
export const PCTR = 0.0312345678

export const TERMS = {
  currency: 'EUR',
  reserveRule: 'search in shoes',
  reserveMicros: '100000',
  reserveCpmMicros: '0',
  squashing: 1,
  maxPerMerchant: 2,
  totalSlots: 6,
  forSale: [1, 2],
}

/** The event of an auction of two slots on a page of six, with terms, as serving logs it; one ad a campaign, one listing an ad. */
export function loggedAuctionEvent(
  at: string,
  bidders: readonly TestBidder[],
  fields: Readonly<Record<string, unknown>> = {},
): AuctionEvent {
  const event = auction(at, [], {
    terms: TERMS,
    ...fields,
  })
  return {
    ...event,
    data: {
      ...event.data,
      candidates: bidders.map(
        ({
          campaignId,
          merchantId,
          bidMicros,
          position,
          priceMicros = 0,
          reason = '',
          sampleProbability = 1,
        }) => ({
          position,
          listingId: `L_${campaignId}`,
          merchantId,
          sponsored: true,
          campaignId,
          adId: `ad_${campaignId}`,
          outcome: position > 0 ? 'shown' : 'outranked',
          reason,
          pricing: 'cpc',
          bidMicros: String(bidMicros),
          priceMicros: String(priceMicros),
          pctr: Math.fround(PCTR),
          pcvr: 0.01,
          quality: 0.01,
          score: 0.01,
          organicScore: null,
          organicRank: 0,
          relevance: 1 / 3,
          sampleProbability,
        }),
      ),
    },
  }
}
