import {
  callerId,
  category,
  createCampaignBody,
  currencyCode,
  daypart,
  frequencyCap,
  instant,
  LISTING_STATUSES,
  location,
  money,
  OUTCOMES,
  PACINGS,
  PRICINGS,
  placementName,
  positiveMoney,
  rankBody,
  targeting,
  timeZone,
} from '@endcap/contracts'
import { z } from 'zod'

/** One auction case: everything that an auction needs, so that it runs without a database. See auction-cases/README.md. */

const rules = z.strictObject({
  reserve: money.default('0'),
  reserveCpm: money.default('0'),
  squashing: z.number().min(0).max(1).default(1),
  maxPerMerchant: z.int().min(1).max(100).default(2),
  relevanceFloor: z.number().min(0).max(1).default(0),
})

const caseCampaign = z.strictObject({
  id: callerId,
  merchantId: callerId,
  name: z.string().max(200).optional(),
  status: z.enum(['draft', 'active', 'paused', 'archived']).default('active'),
  pricing: z.enum(PRICINGS),
  bid: positiveMoney,
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
export type CasePrediction = z.infer<typeof prediction>

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
})

export const auctionCase = z.strictObject({
  description: z.string().optional(),
  auctionId: z.string().min(1).max(128),
  now: instant,
  rules: rules.prefault({}),
  campaigns: z.array(caseCampaign).max(10_000),
  listings: z.array(caseListing).max(100_000).default([]),
  predictions: z.record(z.string(), prediction).default({}),
  request: rankBody,
  expect: z
    .strictObject({ slots: z.array(expectedSlot).optional(), outcomes: z.array(expectedOutcome).optional() })
    .optional(),
})
export type AuctionCase = z.infer<typeof auctionCase>
