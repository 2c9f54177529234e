import { z } from 'zod'
import { PRICINGS } from '../entities.js'
import { INTERACTION_TYPES } from '../events.js'
import {
  callerId,
  category,
  device,
  instant,
  ipAddress,
  location,
  placementName,
  storableText,
  unbrokenText,
} from '../scalars.js'
import { itemOf } from './common.js'

const MAX_QUERY = 500
// A hot field: the body as a whole is searched for broken text before.
const query = z.string().max(MAX_QUERY)
const customer = z.strictObject({
  id: callerId.optional(),
  sessionId: callerId.optional(),
  consent: z.boolean().optional(),
})

const MAX_ORGANIC = 500
const MAX_SLOTS = 100

export const rankBody = z.strictObject({
  placement: placementName,
  query: query.optional(),
  categories: z.array(category).max(20).optional(),
  location: location.optional(),
  customer: customer.optional(),
  device: device.optional(),
  organic: z
    .array(z.strictObject({ listingId: callerId, score: z.number() }))
    .max(MAX_ORGANIC)
    .default([]),
  slots: z
    .strictObject({
      total: z.int().min(1).max(MAX_SLOTS),
      sponsored: z.array(z.int().min(1).max(MAX_SLOTS)).max(MAX_SLOTS).default([]),
    })
    .refine((slots) => slots.sponsored.every((position) => position <= slots.total), {
      path: ['sponsored'],
      message: 'must hold positions within total',
    })
    .refine((slots) => new Set(slots.sponsored).size === slots.sponsored.length, {
      path: ['sponsored'],
      message: 'must not repeat a position',
    }),
  /** false: organic results keep the order they came in. */
  rerank: z.boolean().default(true),
})
export type RankBody = z.infer<typeof rankBody>

export const OUTCOMES = ['won', 'outranked', 'dropped'] as const

/** What each step left of a bid: the merchant's own, then target ROAS, pacing's multiplier, and what is left to spend. */
export const explainedBid = z.object({
  maxBid: z.string(),
  targetRoas: z.number().nullable(),
  /** What an order is expected to be worth; only target ROAS asks. */
  orderValue: z.string(),
  afterTargetRoas: z.string(),
  multiplier: z.number(),
  afterPacing: z.string(),
  /** Of the tightest limit; null without one. */
  remaining: z.string().nullable(),
  final: z.string(),
})

/** How a price came to be: `max(reserve, nextScore ÷ weight rounded up to a micro)`, at most the bid. Per thousand impressions for cpm. */
export const explainedPrice = z.object({
  /** The best bidder of another merchant that could itself have taken the slot; null: nobody. */
  next: z.object({ adId: z.string(), listingId: z.string(), campaignId: z.string() }).nullable(),
  nextScore: z.number().nullable(),
  /** The bid at which this ad would have scored the same, rounded up. */
  bidForNextScore: z.string().nullable(),
  reserve: z.string(),
  /** The reserve rule's name; null: the house reserve. */
  reserveRule: z.string().nullable(),
  cap: z.string(),
  decidedBy: z.enum(['next_score', 'reserve']),
  /** What it would pay under Vickrey, Clarke and Groves; for comparison only. */
  vcgPrice: z.string(),
})

/** What is not known of an ad that never entered the auction is null. */
export const explainedCandidate = z.object({
  listingId: z.string(),
  campaignId: z.string(),
  adId: z.string().nullable(),
  merchantId: z.string().nullable(),
  outcome: z.enum(OUTCOMES),
  reason: z.string(),
  pricing: z.enum(PRICINGS).nullable(),
  bid: z.string(),
  pctr: z.number().nullable(),
  pcvr: z.number().nullable(),
  relevance: z.number().nullable(),
  quality: z.number().nullable(),
  /** Quality to the power of squashing: score = bid × weight, of cpm a thousandth of it. */
  weight: z.number().nullable(),
  score: z.number().nullable(),
  /** Among equal scores the lower draw is first; null without an equal. */
  tieDraw: z.number().nullable(),
  price: z.string().nullable(),
  bidding: explainedBid.nullable(),
  pricedBy: explainedPrice.nullable(),
})
export type ExplainedCandidate = z.infer<typeof explainedCandidate>

/** The rules that an auction was held by, as people read them. */
export const explainedRules = z.object({
  reserve: z.string(),
  reserveCpm: z.string(),
  /** The reserve rule's name; null: the house reserve. */
  reserveRule: z.string().nullable(),
  squashing: z.number(),
  maxPerMerchant: z.int(),
})
const explanation = z.object({
  rules: explainedRules,
  /** The positions that were for sale. */
  forSale: z.array(z.int()),
  candidates: z.array(explainedCandidate),
  /** How many more ads were dropped before the auction than are listed: an answer lists ten thousand of those at most. */
  omitted: z.int().min(0).default(0),
})
export type Explanation = z.infer<typeof explanation>

const sponsoredSlot = z.object({
  position: z.int(),
  listingId: z.string(),
  sponsored: z.literal(true),
  campaignId: z.string(),
  adId: z.string(),
  token: z.string(),
  clickUrl: z.string(),
  impressionUrl: z.string(),
})
const organicSlot = z.object({
  position: z.int(),
  listingId: z.string(),
  sponsored: z.literal(false),
  token: z.string(),
})
export const rankAnswer = z.object({
  requestId: z.string(),
  auctionId: z.string(),
  modelVersion: z.string(),
  slots: z.array(z.union([sponsoredSlot, organicSlot])),
  degraded: z.array(z.string()),
  explain: explanation.optional(),
})
export type RankAnswer = z.infer<typeof rankAnswer>
export type RankSlot = RankAnswer['slots'][number]

export const auctionInput = z.strictObject({
  placement: placementName,
  slots: z.int().min(1).max(MAX_SLOTS),
  query: unbrokenText.max(MAX_QUERY).optional(),
  categories: z.array(category).max(20).optional(),
  location: location.optional(),
  /** Only these listings may win; absent: any. */
  listings: z.array(callerId).min(1).max(10_000).optional(),
  device: device.optional(),
})
export type AuctionInput = z.infer<typeof auctionInput>
/** Auctions are checked one by one, so that one bad auction fails alone. */
export const auctionsBody = z.strictObject({
  auctions: z.array(itemOf(auctionInput)).min(1).max(5),
  customer: customer.optional(),
})
const auctionWinner = z.object({
  rank: z.int(),
  listingId: z.string(),
  campaignId: z.string(),
  adId: z.string(),
  token: z.string(),
  clickUrl: z.string(),
  impressionUrl: z.string(),
  /** Only for operator keys. */
  price: z.string().optional(),
  pricing: z.enum(PRICINGS).optional(),
})
export const auctionsAnswer = z.object({
  results: z.array(
    z.object({
      auctionId: z.string().optional(),
      winners: z.array(auctionWinner),
      degraded: z.array(z.string()).optional(),
      explain: explanation.optional(),
      error: z
        .object({
          code: z.string(),
          detail: z.string(),
          errors: z.array(z.object({ path: z.string(), message: z.string() })),
        })
        .optional(),
    }),
  ),
})

export const eventInput = z.strictObject({
  id: callerId,
  type: z.enum(INTERACTION_TYPES),
  occurredAt: instant,
  token: z.string().min(1).max(4096),
  customer: customer.optional(),
  client: z
    .strictObject({ address: ipAddress.optional(), userAgent: storableText.max(1024).optional() })
    .optional(),
})
export type EventInput = z.infer<typeof eventInput>
/** Events are checked one by one; a bad one is rejected alone. */
export const eventsBody = z.strictObject({ events: z.array(itemOf(eventInput)).min(1).max(500) })
export const eventsAnswer = z.object({
  accepted: z.int(),
  duplicates: z.int(),
  rejected: z.array(z.object({ index: z.int(), code: z.string(), path: z.string(), message: z.string() })),
})
