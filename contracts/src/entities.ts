import { z } from 'zod'
import { microsString } from './scalars.js'

/** The states of entities as the change feed carries them: whole, with money as micros strings. Loose: readers keep what they don't know. */
export const merchantState = z.looseObject({
  id: z.string(),
  name: z.string(),
  currency: z.string(),
  timeZone: z.string(),
  version: z.int(),
})
export type MerchantState = z.infer<typeof merchantState>

export const LISTING_STATUSES = ['active', 'inactive'] as const
export const listingState = z.looseObject({
  id: z.string(),
  merchantId: z.string(),
  title: z.string(),
  url: z.string(),
  categories: z.array(z.string()),
  priceMicros: microsString,
  currency: z.string(),
  location: z.object({ lat: z.number(), lng: z.number() }).nullable(),
  status: z.enum(LISTING_STATUSES),
  version: z.int(),
})
export type ListingState = z.infer<typeof listingState>

export const CAMPAIGN_STATUSES = ['draft', 'active', 'paused', 'archived'] as const
export type CampaignStatus = (typeof CAMPAIGN_STATUSES)[number]
export const MATCH_TYPES = ['exact', 'phrase', 'broad'] as const
export type MatchType = (typeof MATCH_TYPES)[number]
export const PRICINGS = ['cpc', 'cpm'] as const
export type Pricing = (typeof PRICINGS)[number]
export const PACINGS = ['even', 'asap'] as const

export const keywordState = z.looseObject({
  text: z.string(),
  match: z.enum(MATCH_TYPES),
  negative: z.boolean().default(false),
})
/** `day` 1 = Monday … 7 = Sunday; minutes of the day in the merchant's time zone, `toMinute` exclusive. */
export const daypartState = z.looseObject({
  days: z.array(z.int().min(1).max(7)),
  fromMinute: z.int(),
  toMinute: z.int(),
})
export const targetingState = z.looseObject({
  keywords: z.array(keywordState).default([]),
  categories: z.array(z.string()).default([]),
  locations: z.array(z.looseObject({ lat: z.number(), lng: z.number(), radiusKm: z.number() })).default([]),
  items: z.array(z.string()).default([]),
})
export const campaignState = z.looseObject({
  id: z.string(),
  merchantId: z.string(),
  name: z.string(),
  status: z.enum(CAMPAIGN_STATUSES),
  pricing: z.enum(PRICINGS),
  bidMicros: microsString,
  budgetDailyMicros: microsString.nullable(),
  budgetTotalMicros: microsString.nullable(),
  startsAt: z.string().nullable(),
  endsAt: z.string().nullable(),
  dayparts: z.array(daypartState),
  pacing: z.enum(PACINGS),
  targeting: targetingState,
  /** Empty: every placement. */
  placements: z.array(z.string()),
  targetRoas: z.number().nullable(),
  frequencyCap: z.looseObject({ impressions: z.int(), perHours: z.int() }).nullable(),
  /** One ad a listing. */
  ads: z.array(z.looseObject({ id: z.string(), listingId: z.string() })),
  version: z.int(),
})
export type CampaignState = z.infer<typeof campaignState>
