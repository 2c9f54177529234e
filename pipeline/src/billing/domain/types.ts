import type { ChargeReason, Micros, Pricing, Suspicion } from '@endcap/contracts'

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
  /** When it happened by its source's clock, which may be a few minutes ahead. */
  readonly occurredAtMs: number
  readonly receivedAtMs: number
  /** The first thing that made it suspicious where it came in. */
  readonly suspicion: Suspicion | undefined
  /** From the token; when the token does not open, as the event itself names it. */
  readonly slot: SlotFacts
  /** undefined when the token did not open: nothing that it claims may move money. */
  readonly offer: Offer | undefined
}

/** Says that the log's own time has come to `atMs`, where no interaction says so. */
export interface Tick {
  readonly type: 'tick'
  readonly atMs: number
}

/** What a decision is made of, one after another. */
export type InteractionOrTick = BillableInteraction | Tick

export const isInteraction = (next: InteractionOrTick): next is BillableInteraction => next.type !== 'tick'

/** What is remembered of a slot. */
export interface SlotState {
  /** Its first valid impression. */
  readonly impression: { readonly id: string; readonly occurredAtMs: number } | undefined
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
  readonly budgetWeeklyMicros: Micros | undefined
  readonly budgetMonthlyMicros: Micros | undefined
  readonly budgetTotalMicros: Micros | undefined
}

export interface SpendCounter {
  readonly campaignId: string
  readonly merchantId: string
  /** 'total', a budget day, or the week or month of one. */
  readonly period: string
  readonly spentMicros: Micros
  /** Thousandths of a micro (0–999) that cpm impressions still owe; kept on 'total' only. */
  readonly carry: bigint
}

/** A click that came before its impression. */
export interface WaitingClick {
  readonly interaction: BillableInteraction
  /** Once the log's own time has come so far, the impression comes too late. */
  readonly deadlineMs: number
}

/** Everything a decision depends on. Maps hold what the interactions at hand may touch. */
export interface BillingState {
  /** Ids of interactions that have a verdict already, free ones among them. */
  readonly judged: ReadonlySet<string>
  /** By `slotKey`. */
  readonly slots: ReadonlyMap<string, SlotState>
  readonly campaigns: ReadonlyMap<string, CampaignLimits>
  /** Balance by merchant; absent: 0. */
  readonly wallets: ReadonlyMap<string, Micros>
  /** By `counterKey`; absent: nothing spent. */
  readonly counters: ReadonlyMap<string, SpendCounter>
  /** The log's own time: the latest arrival so far, or what a tick said. */
  readonly watermarkMs: number
  /** In the order of the log. */
  readonly waiting: readonly WaitingClick[]
  /** Ids of clicks that wait but are not among `waiting`: of another slot, or another partition. */
  readonly waitingElsewhere: ReadonlySet<string>
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
  /** Valid ones that cost nothing under their pricing: a cpc impression, a cpm click. */
  readonly free: readonly BillableInteraction[]
  readonly watermarkMs: number
  /** Clicks that wait from now on, in order. */
  readonly waits: readonly WaitingClick[]
  /** Those that waited before and wait no longer. */
  readonly waited: readonly WaitingClick[]
}

export const TOTAL_PERIOD = 'total'

export const slotKey = (slot: { readonly auctionId: string; readonly position: number }): string =>
  `${slot.position}/${slot.auctionId}`

export const counterKey = (campaignId: string, period: string): string => `${period}/${campaignId}`
