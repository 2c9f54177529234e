import { z } from 'zod'
import { CAMPAIGN_STATUSES, LISTING_STATUSES, MATCH_TYPES, PACINGS, PRICINGS } from '../entities.js'
import {
  callerId,
  category,
  currencyCode,
  device,
  httpUrl,
  instant,
  location,
  money,
  placementName,
  positiveMoney,
  storableText,
  text,
  timeZone,
  wording,
} from '../scalars.js'
import { scope } from '../scopes.js'
import { itemOf } from './common.js'

const name = text(200)

export const createMerchantBody = z.strictObject({ name, currency: currencyCode, timeZone })
export const patchMerchantBody = z.strictObject({ name: name.optional(), timeZone: timeZone.optional() })
export const merchant = z.object({
  id: z.string(),
  name: z.string(),
  currency: z.string(),
  timeZone: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
})
export type Merchant = z.infer<typeof merchant>

export const createDepositBody = z.strictObject({ amount: positiveMoney, reference: text(200) })
export const deposit = z.object({
  id: z.string(),
  merchantId: z.string(),
  amount: z.string(),
  currency: z.string(),
  reference: z.string(),
  balance: z.string(),
  createdAt: z.string(),
})
export const wallet = z.object({ balance: z.string(), currency: z.string(), spentToday: z.string() })
export const ledgerEntry = z.object({
  id: z.string(),
  transactionId: z.string(),
  kind: z.string(),
  account: z.string(),
  /** Signed: what this entry added to the merchant's wallet. */
  amount: z.string(),
  currency: z.string(),
  reference: z.string(),
  occurredAt: z.string(),
  createdAt: z.string(),
})

/** Longest that the attributes of a listing may be as JSON: they travel with every change of it. */
const MAX_ATTRIBUTES_BYTES = 64 * 1024
const attributes = z.preprocess(
  (value, context) => {
    // A record would leave this name out in silence.
    if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__'))
      context.addIssue({ code: 'custom', path: ['__proto__'], message: 'is not a name for an attribute' })
    return value
  },
  z
    .record(storableText.max(128), z.union([storableText.max(2000), z.number(), z.boolean()]))
    .refine(
      (value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_ATTRIBUTES_BYTES,
      'must not be longer than 64 KiB as JSON',
    ),
)
export const listingInput = z.strictObject({
  id: callerId,
  merchantId: callerId,
  title: text(500),
  url: httpUrl,
  categories: z.array(category).max(50),
  price: money,
  currency: currencyCode,
  location: location.nullish(),
  attributes: attributes.optional(),
  status: z.enum(LISTING_STATUSES).optional(),
})
export type ListingInput = z.infer<typeof listingInput>
/** Items are checked one by one, so that one bad item fails alone. */
export const putListingsBody = z.strictObject({ items: z.array(itemOf(listingInput)).min(1).max(1000) })
export const putListingsAnswer = z.object({
  results: z.array(
    z.object({
      id: z.string(),
      status: z.enum(['created', 'updated', 'unchanged', 'rejected']),
      errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    }),
  ),
})
export const listing = z.object({
  id: z.string(),
  merchantId: z.string(),
  title: z.string(),
  url: z.string(),
  categories: z.array(z.string()),
  price: z.string(),
  currency: z.string(),
  location: z.object({ lat: z.number(), lng: z.number() }).nullable(),
  attributes: z.record(z.string(), z.unknown()),
  status: z.enum(LISTING_STATUSES),
  createdAt: z.string(),
  updatedAt: z.string(),
})

const keyword = z.strictObject({
  text: wording(200),
  match: z.enum(MATCH_TYPES),
  negative: z.boolean().optional(),
})
const clockTime = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'must be a time of day such as "09:30"')
export const daypart = z
  .strictObject({ days: z.array(z.int().min(1).max(7)).min(1).max(7), from: clockTime, to: clockTime })
  .refine((part) => part.from < part.to, { path: ['to'], message: 'must be later than from' })
/** What is left out of a change stays; null empties a field, as an empty list does. */
export const targeting = z.strictObject({
  keywords: z.array(keyword).max(1000).nullish(),
  categories: z.array(category).max(200).nullish(),
  locations: z
    .array(z.strictObject({ ...location.shape, radiusKm: z.number().positive().max(20_000) }))
    .max(100)
    .nullish(),
  items: z.array(callerId).max(1000).nullish(),
  devices: z.array(device).max(20).nullish(),
  listingRadiusKm: z.number().positive().max(20_000).nullish(),
})
const budget = z.strictObject({
  daily: positiveMoney.nullish(),
  weekly: positiveMoney.nullish(),
  monthly: positiveMoney.nullish(),
  total: positiveMoney.nullish(),
})
const capCount = z.int().min(1).max(10_000)
/** Impressions for one customer within the last hour, day (24 h) and week (168 h). */
export const frequencyCap = z
  .strictObject({ hour: capCount.optional(), day: capCount.optional(), week: capCount.optional() })
  .refine((cap) => Object.values(cap).some((count) => count !== undefined), 'must set hour, day or week')
const campaignShape = {
  merchantId: callerId,
  name,
  pricing: z.enum(PRICINGS),
  bid: positiveMoney,
  budget,
  startsAt: instant.nullish(),
  endsAt: instant.nullish(),
  timeZone: timeZone.nullish(),
  dayparts: z.array(daypart).max(50).optional(),
  pacing: z.enum(PACINGS),
  targeting: targeting.optional(),
  placements: z.array(placementName).max(50).optional(),
  listings: z.array(callerId).min(1).max(1000),
  targetRoas: z.number().positive().max(1000).nullish(),
  frequencyCap: frequencyCap.nullish(),
}
const endsAfterStart = {
  check: (body: { startsAt?: string | null | undefined; endsAt?: string | null | undefined }) =>
    !body.startsAt || !body.endsAt || Date.parse(body.endsAt) > Date.parse(body.startsAt),
  problem: { path: ['endsAt'], message: 'must be later than startsAt' },
}
export const createCampaignBody = z
  .strictObject({
    ...campaignShape,
    pacing: campaignShape.pacing.default('even'),
    status: z.enum(['draft', 'active']).default('draft'),
  })
  .refine(endsAfterStart.check, endsAfterStart.problem)
export type CreateCampaignBody = z.infer<typeof createCampaignBody>
export const patchCampaignBody = z
  .strictObject(campaignShape)
  .omit({ merchantId: true, pricing: true })
  .partial()
  .refine(endsAfterStart.check, endsAfterStart.problem)
export type PatchCampaignBody = z.infer<typeof patchCampaignBody>
/** Activating, pausing and archiving take no fields; the body may be absent. */
export const campaignActionBody = z.strictObject({}).nullish()
/** Why a campaign gets no impressions; null while nothing stands in its way. */
export const NOT_SERVING_REASONS = [
  'draft',
  'paused',
  'archived',
  'not_started',
  'ended',
  'merchant_blocked',
  'wallet_empty',
  'budget_day_spent',
  'budget_week_spent',
  'budget_month_spent',
  'budget_total_spent',
  'outside_dayparts',
  'no_active_listing',
  'category_blocked',
  'bid_below_reserve',
  'paced_out',
] as const
const notServing = z
  .enum(NOT_SERVING_REASONS)
  .nullable()
  .meta({
    description:
      'The first thing that keeps the campaign from being shown at all; null while nothing does. `merchant_blocked`: by the operator. `category_blocked`: ' +
      'each of its active listings is in a category that the operator has blocked, or in a descendant of one, or so is each category that it targets, and it targets ' +
      'nothing else. `bid_below_reserve`: the bid as it was set is ' +
      'below every reserve that holds in its placements. That a target ROAS makes of a bid less than the reserve hangs on what is predicted for each listing and ' +
      'request, and is not told here.',
  })
export const campaign = z.object({
  id: z.string(),
  merchantId: z.string(),
  name: z.string(),
  status: z.enum(CAMPAIGN_STATUSES),
  pricing: z.enum(PRICINGS),
  bid: z.string(),
  currency: z.string(),
  budget: z.object({
    daily: z.string().nullable(),
    weekly: z.string().nullable(),
    monthly: z.string().nullable(),
    total: z.string().nullable(),
  }),
  startsAt: z.string().nullable(),
  endsAt: z.string().nullable(),
  timeZone: z.string().nullable(),
  dayparts: z.array(z.object({ days: z.array(z.int()), from: z.string(), to: z.string() })),
  pacing: z.enum(PACINGS),
  targeting: z.object({
    keywords: z.array(z.object({ text: z.string(), match: z.enum(MATCH_TYPES), negative: z.boolean() })),
    categories: z.array(z.string()),
    locations: z.array(z.object({ lat: z.number(), lng: z.number(), radiusKm: z.number() })),
    items: z.array(z.string()),
    devices: z.array(z.string()),
    listingRadiusKm: z.number().nullable(),
  }),
  placements: z.array(z.string()),
  listings: z.array(z.string()),
  ads: z.array(z.object({ id: z.string(), listingId: z.string() })),
  targetRoas: z.number().nullable(),
  frequencyCap: z
    .object({ hour: z.int().optional(), day: z.int().optional(), week: z.int().optional() })
    .nullable(),
  spentToday: z.string(),
  spentTotal: z.string(),
  notServing,
  createdAt: z.string(),
  updatedAt: z.string(),
})
export type Campaign = z.infer<typeof campaign>

/** One limit; all null where there is none. */
const budgetLimit = z.object({
  limit: z.string().nullable(),
  spent: z.string(),
  remaining: z.string().nullable(),
})
export const campaignBudget = z.object({
  campaignId: z.string(),
  currency: z.string(),
  /** The merchant's budget day that this is about. */
  day: z.string(),
  limits: z.object({ day: budgetLimit, week: budgetLimit, month: budgetLimit, total: budgetLimit }),
  /** The merchant's, for all of its campaigns. */
  wallet: z.object({ remaining: z.string() }),
  pacing: z.object({
    mode: z.enum(PACINGS),
    /** What bids are multiplied by now; null before pacing has seen the campaign today. */
    multiplier: z.number().nullable(),
    /** Share of the auctions that it takes part in now. */
    passThrough: z.number().nullable(),
    /** What the day may cost by all limits together; null when the campaign is not paced. */
    dayAllowance: z.string().nullable(),
    /** Share of the day's forecast traffic, within the campaign's hours, that has gone by. */
    dayShare: z.number().nullable(),
  }),
  /** Spend of the whole day if it goes on as it has, at most what the limits leave; null as long as too little of the day has gone by. */
  forecastDay: z.string().nullable(),
  /** Shown and clicked but not billed, because a limit was used up. */
  overDelivery: z.object({ day: z.string(), total: z.string() }),
  notServing,
})
export type CampaignBudget = z.infer<typeof campaignBudget>

export const createKeyBody = z.strictObject({
  name: name.default('key'),
  scopes: z.array(scope).min(1).max(20),
})
export const createdKey = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  /** The key itself, shown this once. */
  key: z.string(),
  createdAt: z.string(),
})
export const apiKey = createdKey.omit({ key: true }).extend({ revokedAt: z.string().nullable() })
