import type { Bidder, BidInputs, SlotLimit } from '@endcap/auction'
import type { Micros, Pricing } from '@endcap/contracts'
import type { IndexedAd, IndexedCampaign } from '../index/indexed-campaign.js'
import type { IndexedListing } from '../index/indexed-listing.js'

/** An ad on its way through the steps: filtering makes it, prediction and bidding fill it in. */
export class Candidate implements Bidder {
  readonly adId: string
  readonly merchantId: string
  readonly listingId: string
  readonly pricing: Pricing
  bidMicros: Micros
  pctr = 0
  pcvr = 0
  /** What an order is expected to be worth. */
  orderValueMicros: Micros
  /** Its row in the slate of predictions. */
  row = -1
  limits: readonly SlotLimit[] | undefined = undefined

  constructor(
    readonly campaign: IndexedCampaign,
    readonly ad: IndexedAd,
    readonly listing: IndexedListing,
    /** The keyword that met the query, or ''. */
    readonly keyword: string,
    readonly currency: string,
    readonly relevance: number,
    /** What is left of the tightest limit; undefined without one. */
    readonly remainingMicros: Micros | undefined,
    readonly multiplier: number,
  ) {
    this.adId = ad.id
    this.merchantId = campaign.merchantId
    this.listingId = listing.id
    this.pricing = campaign.pricing
    this.bidMicros = campaign.bidMicros
    this.orderValueMicros = listing.priceMicros
  }
}

/** What a candidate's bid comes from. */
export const bidInputsOf = (candidate: Candidate): BidInputs => ({
  pricing: candidate.pricing,
  bidMicros: candidate.campaign.bidMicros,
  targetRoas: candidate.campaign.targetRoas,
  pctr: candidate.pctr,
  pcvr: candidate.pcvr,
  orderValueMicros: candidate.orderValueMicros,
  multiplier: candidate.multiplier,
  remainingMicros: candidate.remainingMicros,
})
