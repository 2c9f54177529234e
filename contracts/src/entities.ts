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
/** `day` 1 = Monday … 7 = Sunday; minutes of the day in the campaign's time zone, `toMinute` exclusive. */
const daypartState = z.looseObject({
  days: z.array(z.int().min(1).max(7)),
  fromMinute: z.int(),
  toMinute: z.int(),
})
export const targetingState = z.looseObject({
  keywords: z.array(keywordState).default([]),
  categories: z.array(z.string()).default([]),
  locations: z.array(z.looseObject({ lat: z.number(), lng: z.number(), radiusKm: z.number() })).default([]),
  items: z.array(z.string()).default([]),
  /** Empty: every device. */
  devices: z.array(z.string()).default([]),
  /** Only for requests this near to the listing's own location; null: wherever. */
  listingRadiusKm: z.number().nullable().default(null),
})
/** Meets every request. */
export const NO_TARGETING: z.infer<typeof targetingState> = targetingState.parse({})

/** At most this many impressions for one customer within the last hour, day (24 h) and week (168 h); at least one is set. */
const frequencyCapState = z.looseObject({
  hour: z.int().optional(),
  day: z.int().optional(),
  week: z.int().optional(),
})
export type FrequencyCapState = z.infer<typeof frequencyCapState>
export const campaignState = z.looseObject({
  id: z.string(),
  merchantId: z.string(),
  name: z.string(),
  status: z.enum(CAMPAIGN_STATUSES),
  pricing: z.enum(PRICINGS),
  bidMicros: microsString,
  budgetDailyMicros: microsString.nullable(),
  budgetWeeklyMicros: microsString.nullable().default(null),
  budgetMonthlyMicros: microsString.nullable().default(null),
  budgetTotalMicros: microsString.nullable(),
  startsAt: z.string().nullable(),
  endsAt: z.string().nullable(),
  /** Of the dayparts; null: the merchant's. */
  timeZone: z.string().nullable().default(null),
  dayparts: z.array(daypartState),
  pacing: z.enum(PACINGS),
  targeting: targetingState,
  /** Empty: every placement. */
  placements: z.array(z.string()),
  targetRoas: z.number().nullable(),
  frequencyCap: frequencyCapState.nullable(),
  /** One ad a listing. */
  ads: z.array(z.looseObject({ id: z.string(), listingId: z.string() })),
  version: z.int(),
})
export type CampaignState = z.infer<typeof campaignState>

/** A flat reserve for the requests it names; of several that fit, the most particular one holds (see `docs/auction.md`). */
const reserveRuleState = z.looseObject({
  /** As explanations name it; unique among the rules. */
  name: z.string(),
  /** null: any. */
  placement: z.string().nullable(),
  /** Holds for its descendants as well; null: any. */
  category: z.string().nullable(),
  /** Per click. */
  reserveMicros: microsString,
  /** Per thousand impressions. */
  reserveCpmMicros: microsString,
})
export type ReserveRuleState = z.infer<typeof reserveRuleState>

/** What the operator has laid down for every auction: one document, replaced whole. */
export const rulesState = z.looseObject({
  reserves: z.array(reserveRuleState),
  /** Where no rule of `reserves` fits. */
  reserveMicros: microsString,
  reserveCpmMicros: microsString,
  /** Exponent of quality in the score. */
  squashing: z.number(),
  /** At most this many slots of one page for one merchant. */
  maxPerMerchant: z.int(),
  /** Ads less relevant to the query than this are not shown, 0…1. */
  relevanceFloor: z.number(),
  /** Impressions of all campaigns of one merchant for one customer. */
  merchantFrequencyCap: frequencyCapState.nullable(),
  /** Never sold: ads of these merchants and of listings in these categories; pages of these categories and queries with these terms. */
  blocked: z.looseObject({
    merchants: z.array(z.string()),
    categories: z.array(z.string()),
    terms: z.array(z.string()),
  }),
  version: z.int(),
})
export type RulesState = z.infer<typeof rulesState>
/** The one id that rules have in the change feed. */
export const RULES_ID = 'rules'

/** What holds before an operator has laid down anything. */
export const DEFAULT_RULES_STATE: RulesState = {
  reserves: [],
  reserveMicros: '10000',
  reserveCpmMicros: '100000',
  squashing: 1,
  maxPerMerchant: 2,
  relevanceFloor: 0,
  merchantFrequencyCap: null,
  blocked: { merchants: [], categories: [], terms: [] },
  version: 0,
}
