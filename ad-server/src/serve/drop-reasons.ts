/**
 * Why a candidate was not shown: the one table that logs, explanations and case files draw from.
 * `dropped` never reached a price; `outranked` could have won with a better score.
 */
export const DROP_REASONS = {
  targeting: {
    outcome: 'dropped',
    meaning:
      'no keyword, category or item of the campaign meets the request; told by auction cases only, since serving does not look at such ads',
  },
  merchant_unknown: { outcome: 'dropped', meaning: 'the merchant is not in the index' },
  campaign_not_active: { outcome: 'dropped', meaning: 'the campaign is draft, paused or archived' },
  not_started: { outcome: 'dropped', meaning: 'the campaign starts later' },
  ended: { outcome: 'dropped', meaning: 'the campaign has ended' },
  outside_daypart: {
    outcome: 'dropped',
    meaning: "not within the campaign's hours, in its own time zone or else the merchant's",
  },
  placement: { outcome: 'dropped', meaning: 'the campaign does not buy this placement' },
  device: { outcome: 'dropped', meaning: 'the campaign does not buy this kind of device' },
  negative_keyword: { outcome: 'dropped', meaning: 'a negative keyword of the campaign meets the query' },
  out_of_radius: { outcome: 'dropped', meaning: "outside the campaign's places, or the request has none" },
  merchant_blocked: { outcome: 'dropped', meaning: 'the operator has blocked the merchant' },
  category_blocked: {
    outcome: 'dropped',
    meaning: 'the operator has blocked a category of the request or of the listing, or an ancestor of one',
  },
  term_blocked: { outcome: 'dropped', meaning: 'the operator has blocked a term or phrase of the query' },
  currency: { outcome: 'dropped', meaning: 'bids in another currency than this auction is held in' },
  budget_total_spent: {
    outcome: 'dropped',
    meaning: "no more is left of the campaign's total budget than is in flight",
  },
  budget_month_spent: {
    outcome: 'dropped',
    meaning: "no more is left of the campaign's budget for the month than is in flight",
  },
  budget_week_spent: {
    outcome: 'dropped',
    meaning: "no more is left of the campaign's budget for the week than is in flight",
  },
  budget_day_spent: {
    outcome: 'dropped',
    meaning: "no more is left of the campaign's budget for the day than is in flight",
  },
  wallet_empty: {
    outcome: 'dropped',
    meaning: "no more is left in the merchant's wallet than is in flight",
  },
  frequency_cap: {
    outcome: 'dropped',
    meaning: 'this customer has seen the campaign often enough, counting the slots of the same call',
  },
  merchant_frequency_cap: {
    outcome: 'dropped',
    meaning:
      "this customer has seen the merchant's campaigns often enough, counting the slots of the same call",
  },
  paced: {
    outcome: 'dropped',
    meaning: 'pacing keeps the campaign out of a share of auctions, to make its budget last the day',
  },
  listing_unknown: { outcome: 'dropped', meaning: 'the listing is not in the index' },
  listing_inactive: { outcome: 'dropped', meaning: 'the listing is inactive' },
  listing_not_allowed: { outcome: 'dropped', meaning: 'the request does not allow this listing' },
  listing_out_of_radius: {
    outcome: 'dropped',
    meaning:
      'the listing is farther away than the campaign wants, or its place or that of the request is not known',
  },
  retrieval_limit: {
    outcome: 'dropped',
    meaning:
      'more ads may be shown than are ranked for one request: merchants take turns by what their ads are expected to score, and this one had none',
  },
  relevance_floor: { outcome: 'dropped', meaning: 'less relevant to the query than the floor' },
  below_reserve: { outcome: 'dropped', meaning: 'the bid, as it stands now, is below the reserve' },
  merchant_limit: { outcome: 'dropped', meaning: 'the merchant has as many slots as one may have' },
  already_shown: { outcome: 'dropped', meaning: 'another campaign shows the same listing' },
  outranked: { outcome: 'outranked', meaning: 'all slots went to better scores' },
  not_recorded: { outcome: 'dropped', meaning: 'it had won, but the auction could not be recorded' },
  page_ended: { outcome: 'outranked', meaning: 'too few listings to fill the page as far as this slot' },
} as const satisfies Record<string, { outcome: 'dropped' | 'outranked'; meaning: string }>

export type DropReason = keyof typeof DROP_REASONS

/** An ad that left before the auction. */
export interface DroppedAd {
  readonly campaignId: string
  readonly listingId: string
  readonly reason: DropReason
  readonly bidMicros: bigint
}

/** Beyond this many ads an explanation says only how many more there were. */
const DETAILS_KEPT = 10_000

/** Counts drops by reason; keeps them one by one only where somebody asked why. */
export class DropLedger {
  readonly counts: Partial<Record<DropReason, number>> = {}
  readonly details: DroppedAd[] = []
  private left = 0

  constructor(
    private readonly keepDetails: boolean,
    private readonly mostDetails = DETAILS_KEPT,
  ) {}

  add(reason: DropReason, campaign: DroppedCampaign, listingId: string): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1
    if (!this.keepDetails) return
    if (this.details.length < this.mostDetails) {
      this.details.push({ campaignId: campaign.id, listingId, reason, bidMicros: campaign.bidMicros })
    } else this.left++
  }

  /** How many drops `details` has no room for. */
  get omitted(): number {
    return this.left
  }

  /** A reason that holds for every ad of a campaign. */
  addAll(reason: DropReason, campaign: DroppedCampaign): void {
    const { ads } = campaign
    if (this.keepDetails) for (const ad of ads) this.add(reason, campaign, ad.listingId)
    else this.counts[reason] = (this.counts[reason] ?? 0) + ads.length
  }
}

interface DroppedCampaign {
  readonly id: string
  readonly bidMicros: bigint
  readonly ads: readonly { readonly listingId: string }[]
}
