import {
  auctionInput,
  callerId,
  category,
  createCampaignBody,
  currencyCode,
  daypart,
  explainedBid,
  explainedPrice,
  explainedRules,
  frequencyCap,
  instant,
  LISTING_STATUSES,
  location,
  money,
  OUTCOMES,
  PACINGS,
  PRICINGS,
  placementName,
  putRulesBody,
  rankBody,
  targeting,
  timeZone,
} from '@endcap/contracts'
import { z } from 'zod'

/** One auction case: everything that an auction needs, so that it runs without a database. See auction/cases/README.md. */

const reserveRule = z.strictObject({
  name: z.string().min(1).max(128),
  /** Absent: any; likewise the category, which holds for its descendants as well. */
  placement: placementName.optional(),
  category: category.optional(),
  reserve: money.default('0'),
  reserveCpm: money.default('0'),
})

const rules = z.strictObject({
  reserve: money.default('0'),
  reserveCpm: money.default('0'),
  /** Where one fits the request it holds instead of the two above. */
  reserves: z.array(reserveRule).max(1000).default([]),
  squashing: z.number().min(0).max(2).default(1),
  maxPerMerchant: z.int().min(1).max(100).default(2),
  relevanceFloor: z.number().min(0).max(1).default(0),
  /** How many ads of one request are ranked at most: merchants take turns. */
  maxCandidates: z.int().min(1).default(500),
  /** How clicks fall from slot to slot, best first; only the VCG price depends on it. Absent: by position. */
  positionEffects: z.array(z.number().positive().max(1)).max(100).optional(),
  /** As in `PUT /v1/rules`. */
  blocked: putRulesBody.shape.blocked.optional(),
  /** Compared with what the customer has seen of all campaigns of a merchant together. */
  merchantFrequencyCap: frequencyCap.optional(),
})

const caseCampaign = z.strictObject({
  id: callerId,
  merchantId: callerId,
  name: z.string().max(200).optional(),
  status: z.enum(['draft', 'active', 'paused', 'archived']).default('active'),
  pricing: z.enum(PRICINGS),
  /** '0' only in an exported auction, where all of its bids had come to nothing. */
  bid: money,
  listings: z.array(callerId).min(1).max(1000),
  budget: createCampaignBody.shape.budget.optional(),
  startsAt: instant.nullish(),
  endsAt: instant.nullish(),
  dayparts: z.array(daypart).max(50).optional(),
  pacing: z.enum(PACINGS).default('even'),
  targeting: targeting.optional(),
  placements: z.array(placementName).max(50).optional(),
  targetRoas: z.number().positive().max(1000).nullish(),
  frequencyCap: frequencyCap.nullish(),
  /** Of the merchant; a case needs no merchants of its own. */
  timeZone: timeZone.default('UTC'),
  currency: currencyCode.default('EUR'),
  remaining: z
    .strictObject({
      day: money.optional(),
      week: money.optional(),
      month: money.optional(),
      total: money.optional(),
      wallet: money.optional(),
    })
    .optional(),
  multiplier: z.number().min(0).max(1).default(1),
  /** false: pacing's gate keeps the campaign out of this auction. */
  passes: z.boolean().default(true),
  /** Impressions of the campaign that the customer had within the last hour, day and week. */
  seen: z
    .strictObject({
      hour: z.int().min(0).optional(),
      day: z.int().min(0).optional(),
      week: z.int().min(0).optional(),
    })
    .default({}),
  /**
   * Ads with an id (ties are drawn on it) or a bid of their own, as it entered the auction: such an ad bids that, and less where the
   * campaign's bid comes to less.
   */
  ads: z
    .array(z.strictObject({ listingId: callerId, id: callerId.optional(), bid: money.optional() }))
    .max(1000)
    .default([]),
})
export type CaseCampaign = z.infer<typeof caseCampaign>

const caseListing = z.strictObject({
  id: callerId,
  merchantId: callerId.optional(),
  title: z.string().max(500).optional(),
  url: z.string().max(2048).optional(),
  categories: z.array(category).max(50).optional(),
  price: money.optional(),
  currency: currencyCode.optional(),
  location: location.nullish(),
  attributes: z.record(z.string(), z.unknown()).optional(),
  status: z.enum(LISTING_STATUSES).optional(),
})
export type CaseListing = z.infer<typeof caseListing>

const prediction = z.strictObject({
  pctr: z.number().min(0).max(1),
  pcvr: z.number().min(0).max(1).default(0),
  /** Absent: as serving works it out from query, title and categories; 1 when the case does not describe the listing. */
  relevance: z.number().min(0).max(1).optional(),
  orderValue: money.optional(),
})

const expectedSlot = z.strictObject({
  position: z.int(),
  listingId: z.string(),
  campaignId: z.string(),
  price: money.optional(),
  pricing: z.enum(PRICINGS).optional(),
})
const expectedOutcome = z.strictObject({
  listingId: z.string(),
  campaignId: z.string(),
  outcome: z.enum(OUTCOMES),
  reason: z.string().optional(),
  bid: money.optional(),
  score: z.number().nullable().optional(),
  price: money.nullable().optional(),
  bidding: explainedBid.partial().optional(),
  pricedBy: explainedPrice.partial().optional(),
})

export const auctionCase = z.strictObject({
  description: z.string().optional(),
  auctionId: z.string().min(1).max(128),
  now: instant,
  rules: rules.prefault({}),
  campaigns: z.array(caseCampaign).max(10_000),
  listings: z.array(caseListing).max(100_000).default([]),
  /** Of those that campaigns name, by id: whom the change feed has not brought yet. */
  unknown: z
    .strictObject({
      merchants: z.array(callerId).max(10_000).default([]),
      listings: z.array(callerId).max(100_000).default([]),
    })
    .prefault({}),
  /** By listing id, which may be any: as an object's own fields they would lose `__proto__`. */
  predictions: z.preprocess(
    (value) => (isObject(value) ? new Map(Object.entries(value)) : value),
    z.map(z.string(), prediction).default(new Map()),
  ),
  /** `listings`: only these may win, as in POST /v1/auctions. */
  request: rankBody.extend({ listings: auctionInput.shape.listings }),
  expect: z
    .strictObject({
      slots: z.array(expectedSlot).optional(),
      outcomes: z.array(expectedOutcome).optional(),
      rules: explainedRules.partial().optional(),
    })
    .optional(),
})
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export type AuctionCase = z.infer<typeof auctionCase>
