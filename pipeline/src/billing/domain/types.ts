import type { ChargeReason, Micros, Pricing } from '@endcap/contracts'

/** Where a slot was shown and whose it is: copied onto the charge, so that reports need no join. */
export interface SlotFacts {
  readonly auctionId: string
  readonly position: number
  readonly placement: string
  readonly searchTerm: string
  readonly device: string
  readonly modelVersion: string
  readonly listingId: string
  readonly merchantId: string
  readonly campaignId: string
  readonly adId: string
}

/** What the auction promised, as the opened token says it. */
export interface Offer {
  readonly pricing: Pricing
  /** Per click for cpc, per thousand impressions for cpm. */
  readonly priceMicros: Micros
  readonly currency: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

/** A sponsored impression or click, in the order of the log. */
export interface BillableInteraction {
  /** The event's id: its identity. */
  readonly interactionId: string
  readonly type: 'impression' | 'click'
  readonly occurredAtMs: number
  /** From the token; when the token does not open, as the event itself names it. */
  readonly slot: SlotFacts
  /** undefined when the token did not open: nothing that it claims may move money. */
  readonly offer: Offer | undefined
}

/** What is remembered of a slot. */
export interface SlotState {
  /** The event that was its first valid impression. */
  readonly impressionId: string | undefined
  /** The event that was its first valid click. */
  readonly clickId: string | undefined
  /** A charge exists for it, even if its impression has been forgotten since. */
  readonly charged: boolean
}

export interface CampaignLimits {
  readonly merchantId: string
  readonly pricing: Pricing
  readonly currency: string
  readonly timeZone: string
  /** undefined: no limit. */
  readonly budgetDailyMicros: Micros | undefined
  readonly budgetTotalMicros: Micros | undefined
}

export interface SpendCounter {
  readonly campaignId: string
  readonly merchantId: string
  /** 'total' or a budget day. */
  readonly period: string
  readonly spentMicros: Micros
  /** Thousandths of a micro (0–999) that cpm impressions still owe; kept on 'total' only. */
  readonly carry: bigint
}

/** Everything a decision depends on. Maps hold what the interactions at hand may touch. */
export interface BillingState {
  /** Interactions that have a verdict already. */
  readonly judged: ReadonlySet<string>
  /** By `slotKey`. */
  readonly slots: ReadonlyMap<string, SlotState>
  readonly campaigns: ReadonlyMap<string, CampaignLimits>
  /** Balance by merchant; absent: 0. */
  readonly wallets: ReadonlyMap<string, Micros>
  /** By `counterKey`; absent: nothing spent. */
  readonly counters: ReadonlyMap<string, SpendCounter>
}

export interface Verdict {
  readonly interaction: BillableInteraction
  readonly pricing: Pricing
  readonly currency: string
  readonly outcome: 'charged' | 'not_charged'
  /** '' exactly when charged. */
  readonly reason: ChargeReason
  readonly amountMicros: Micros
  /** What it would have cost had it been valid and within budget; 0 when this kind is free under its pricing. */
  readonly priceMicros: Micros
  readonly budgetDay: string
}

export type UnplacedReason = 'token_invalid' | 'campaign_unknown' | 'merchant_mismatch' | 'currency_mismatch'

/** An interaction that no charge can be written for, because whom it concerns is not known. */
export interface Unplaced {
  readonly interaction: BillableInteraction
  readonly reason: UnplacedReason
}

/** What follows from the interactions: the rows to write and the state afterwards, where it changed. */
export interface Decision {
  readonly verdicts: readonly Verdict[]
  readonly unplaced: readonly Unplaced[]
  /** First valid impressions, in order. */
  readonly impressions: readonly BillableInteraction[]
  /** First valid clicks, in order. */
  readonly clicks: readonly BillableInteraction[]
  readonly slots: ReadonlyMap<string, SlotState>
  readonly wallets: ReadonlyMap<string, Micros>
  readonly counters: ReadonlyMap<string, SpendCounter>
}

export const TOTAL_PERIOD = 'total'

export const slotKey = (slot: { readonly auctionId: string; readonly position: number }): string =>
  `${slot.position}/${slot.auctionId}`

export const counterKey = (campaignId: string, period: string): string => `${period}/${campaignId}`
