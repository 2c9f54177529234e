import { z } from 'zod'
import { ColumnsError, candidateColumns, candidatesOf } from './candidate-columns.js'
import { campaignState, listingState, merchantState, rulesState } from './entities.js'
import { microsString } from './scalars.js'

/**
 * The envelope of every record in the event log. Evolution is additive: readers keep unknown fields.
 *
 * `id` is the event's identity: two records with the same id are the same event and count once everywhere.
 * `occurredAt` is when it happened by its source's clock, `receivedAt` when Endcap accepted it (both RFC 3339, UTC);
 * neither changes when a record is sent again. `key` decides the partition: records of one key stay in order.
 */
const envelope = <T extends string, D extends z.ZodType>(type: T, data: D) =>
  z.looseObject({
    id: z.string().min(1).max(128),
    type: z.literal(type),
    schema: z.string(),
    occurredAt: z.string(),
    receivedAt: z.string(),
    source: z.string(),
    key: z.string(),
    data,
  })

/** A listing shown in a slot, or one that lost (`position` 0, outcome not `shown`), with its inputs as served. */
export const auctionCandidate = z.looseObject({
  position: z.int().min(0).describe('1-based position on the page; 0 for a candidate that was not shown.'),
  listingId: z.string(),
  merchantId: z
    .string()
    .describe("'' when the listing is unknown to Endcap (an organic result of the search engine only)."),
  sponsored: z.boolean(),
  campaignId: z.string().default(''),
  adId: z.string().default(''),
  outcome: z.enum(['shown', 'outranked', 'dropped']),
  reason: z.string().default(''),
  pricing: z.enum(['cpc', 'cpm', '']).default(''),
  bidMicros: microsString.default('0'),
  priceMicros: microsString
    .default('0')
    .describe("Per click for cpc, per thousand impressions for cpm; '0' for organic slots and losers."),
  pctr: z.number(),
  pcvr: z.number(),
  quality: z
    .number()
    .default(0)
    .describe('As the auction weighed and ranked it; 0 for an organic slot, which is not for sale.'),
  score: z.number().default(0),
  organicScore: z.number().nullable().default(null),
  organicRank: z
    .int()
    .min(0)
    .default(0)
    .describe("1-based rank among the request's organic results; 0 when it was not one."),
  relevance: z.number().default(0).describe('As serving weighed it; 0 for an organic slot.'),
  sampleProbability: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe(
      'With which probability this candidate came into the event: losers that had nothing to do with the result are sampled.',
    ),
  tieDraw: z
    .int()
    .min(0)
    .optional()
    .describe('The draw that placed it among equal scores; absent when it had no equal.'),
})
export type AuctionCandidate = z.infer<typeof auctionCandidate>

/** Lists of candidates come in two forms: as objects, and as columns, which is how serving writes them. Read, they are the same. */
const auctionCandidates = z.union([
  z.array(auctionCandidate),
  candidateColumns
    .transform((columns, context) => {
      try {
        return candidatesOf(columns)
      } catch (error) {
        if (!(error instanceof ColumnsError)) throw error
        context.addIssue(error.message)
        return z.NEVER
      }
    })
    .pipe(z.array(auctionCandidate)),
])

/** What slots were sold by. With it and the bidders, the auction can be decided again. */
const auctionTerms = z.looseObject({
  currency: z.string().describe("Of every bid; '' without bidders."),
  reserveRule: z
    .string()
    .describe("The reserve rule that held, by name; '' where none fitted and the house reserve did."),
  reserveMicros: microsString.describe('Per click.'),
  reserveCpmMicros: microsString.describe('Per thousand impressions.'),
  squashing: z.number(),
  maxPerMerchant: z.int(),
  totalSlots: z.int().describe('How many slots the page could have.'),
  forSale: z.array(z.int()).describe('The positions for sale.'),
})

export const auctionData = z.looseObject({
  auctionId: z.string(),
  requestId: z.string(),
  placement: z.string(),
  query: z.string().describe('The query as typed (at most 200 characters).'),
  searchTerm: z.string().describe("The normalised query, as reports group it; '' without a query."),
  categories: z.array(z.string()),
  device: z.string(),
  customerHash: z.string().describe("Keyed hash of the customer's id; '' without an id or without consent."),
  sessionHash: z.string(),
  location: z.object({ lat: z.number(), lng: z.number() }).nullable(),
  modelVersion: z.string(),
  degraded: z.array(z.string()),
  /** null in events of before terms were logged. */
  terms: auctionTerms.nullable().default(null),
  /** Shown slots by position, then losers: every one that had to do with a price, and a sample of the others. */
  candidates: auctionCandidates,
  featureSet: z.string().describe("Feature set version; see ranking/. '' when no features were computed."),
  features: z
    .string()
    .describe(
      'Features as served: base64 of little-endian float32, one row a candidate in the order of `candidates`.',
    ),
  drops: z.record(z.string(), z.int()).describe('How many sponsored candidates left with each reason.'),
})
export const auctionEvent = envelope('auction', auctionData)
export type AuctionEvent = z.infer<typeof auctionEvent>

/**
 * What made an interaction suspicious where it came in. Set once, before it is written to the log, so that whoever reads the log
 * again comes to the same verdict, whatever lists and counters say by then.
 */
export const SUSPICIONS = ['bot', 'data_center', 'prefetch', 'address_rate', 'customer_rate'] as const
export type Suspicion = (typeof SUSPICIONS)[number]

/** What a token says about the slot it was made for, without the price: the price stays inside the token. */
const interactionData = z.looseObject({
  token: z
    .string()
    .describe('The sealed token, opened again by billing; nothing else in this record decides money.'),
  auctionId: z.string(),
  position: z.int().min(0),
  listingId: z.string(),
  merchantId: z.string(),
  campaignId: z.string().default(''),
  adId: z.string().default(''),
  sponsored: z.boolean(),
  placement: z.string(),
  searchTerm: z.string(),
  device: z.string(),
  modelVersion: z.string(),
  customerHash: z.string().default(''),
  consented: z
    .boolean()
    .optional()
    .describe('The customer agreed to be recognised; absent: they did not say so.'),
  channel: z
    .enum(['browser', 'api'])
    .describe("How it came in: the pixel or redirect (`browser`), or a shop's server (`api`)."),
  client: z
    .looseObject({ addressHash: z.string().default(''), userAgent: z.string().default('') })
    .prefault({}),
  suspicions: z
    .array(z.enum(SUSPICIONS))
    .default([])
    .describe('In the order of SUSPICIONS; the first one is the reason that billing records.'),
})

export const INTERACTION_TYPES = ['impression', 'viewable', 'click', 'add_to_cart'] as const
export type InteractionType = (typeof INTERACTION_TYPES)[number]

export const impressionEvent = envelope('impression', interactionData)
const viewableEvent = envelope('viewable', interactionData)
const clickEvent = envelope('click', interactionData)
const addToCartEvent = envelope('add_to_cart', interactionData)
export const interactionEvent = z.discriminatedUnion('type', [
  impressionEvent,
  viewableEvent,
  clickEvent,
  addToCartEvent,
])
export type InteractionEvent = z.infer<typeof interactionEvent>

/**
 * Says that time has passed in a partition of the interactions topic, and nothing else. `occurredAt` is how far the partition's own time
 * has come, `receivedAt` when that was found. Billing takes it for the time; no shopper did anything, so nothing else counts or keeps it.
 */
export const tickEvent = envelope('tick', z.looseObject({}))
export type TickEvent = z.infer<typeof tickEvent>

/** The interactions topic: interactions, and ticks where none came. */
export const interactionTopicEvent = z.discriminatedUnion('type', [interactionEvent, tickEvent])
export type InteractionTopicEvent = z.infer<typeof interactionTopicEvent>

const orderLineData = z.looseObject({
  lineId: z.string(),
  listingId: z.string(),
  /** '' when the listing is unknown to Endcap. */
  merchantId: z.string(),
  quantity: z.int().min(1),
  unitPriceMicros: microsString,
})
const orderData = z.looseObject({
  orderId: z.string(),
  customerHash: z.string(),
  currency: z.string(),
  placedAt: z.string(),
  lines: z.array(orderLineData).min(1),
})
export const orderEvent = envelope('order', orderData)
export type OrderEvent = z.infer<typeof orderEvent>

/**
 * What billing decided about one billable interaction. `outcome` is `charged`, or `not_charged` with the reason;
 * an amount is only ever moved by `charged`.
 */
export const CHARGE_REASONS = [
  '',
  'token_invalid',
  ...SUSPICIONS,
  'repeat',
  'no_impression',
  'too_fast',
  'stale',
  'over_budget_total',
  'over_budget_month',
  'over_budget_week',
  'over_budget_day',
  'over_wallet',
] as const
export type ChargeReason = (typeof CHARGE_REASONS)[number]

const chargeData = z.looseObject({
  chargeId: z.string(),
  interactionId: z.string(),
  interactionType: z.enum(INTERACTION_TYPES),
  auctionId: z.string(),
  position: z.int().min(0),
  merchantId: z.string(),
  campaignId: z.string(),
  adId: z.string(),
  listingId: z.string(),
  placement: z.string(),
  searchTerm: z.string(),
  device: z.string(),
  modelVersion: z.string(),
  pricing: z.enum(['cpc', 'cpm']),
  amountMicros: microsString.describe('What was billed; for `not_charged` 0.'),
  priceMicros: microsString.describe('What would have been billed had it been valid and within budget.'),
  currency: z.string(),
  outcome: z.enum(['charged', 'not_charged']),
  reason: z.enum(CHARGE_REASONS),
})
export const chargeEvent = envelope('charge', chargeData)
export type ChargeEvent = z.infer<typeof chargeEvent>

/**
 * Valid interactions that cost nothing under their pricing (a cpc impression, a cpm click), as billing judged them, many in one event.
 * Together with the `charge` events they are the verdicts of all sponsored interactions, one each.
 */
const verdictsData = z.looseObject({
  campaigns: z.array(
    z.looseObject({
      merchantId: z.string(),
      campaignId: z.string(),
      interactions: z
        .array(z.tuple([z.string(), z.enum(INTERACTION_TYPES), z.int()]))
        .min(1)
        .describe('Id, type and instant (milliseconds since the epoch) of each interaction.'),
    }),
  ),
})
export type VerdictsData = z.infer<typeof verdictsData>
export const verdictsEvent = envelope('verdicts', verdictsData)
export type VerdictsEvent = z.infer<typeof verdictsEvent>

/** Why charges are given back. */
export const CLAWBACK_REASONS = ['bot', 'fraud', 'data_center', 'repeat', 'other'] as const
export type ClawbackReason = (typeof CLAWBACK_REASONS)[number]

/**
 * A charge given back, because what it billed was found invalid later. `occurredAt` is the charge's, so that reports restate the
 * day of the charge; the slot's description is the charge's too.
 */
const clawbackData = chargeData.omit({ outcome: true, reason: true, priceMicros: true }).extend({
  clawbackId: z.string(),
  amountMicros: microsString.describe("What was given back: the charge's amount."),
  reason: z.enum(CLAWBACK_REASONS),
})
export const clawbackEvent = envelope('clawback', clawbackData)
export type ClawbackEvent = z.infer<typeof clawbackEvent>

/** The charges topic: verdicts of billing, and charges given back. */
export const billingEvent = z.discriminatedUnion('type', [chargeEvent, verdictsEvent, clawbackEvent])
export type BillingEvent = z.infer<typeof billingEvent>

const apiKeyState = z.looseObject({
  id: z.string(),
  hash: z.string().describe('SHA-256 of the key, hex.'),
  scopes: z.array(z.string()),
  revoked: z.boolean(),
})
export type ApiKeyState = z.infer<typeof apiKeyState>

/**
 * One entity's whole state after a change: the change topic is compacted by `kind:id`, so the last record of a key is the entity.
 * `sequence` is the outbox position: higher is later, over all entities.
 */
const changeData = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('merchant'), id: z.string(), sequence: z.string(), state: merchantState }),
  z.looseObject({ kind: z.literal('listing'), id: z.string(), sequence: z.string(), state: listingState }),
  z.looseObject({ kind: z.literal('campaign'), id: z.string(), sequence: z.string(), state: campaignState }),
  z.looseObject({ kind: z.literal('api_key'), id: z.string(), sequence: z.string(), state: apiKeyState }),
  z.looseObject({ kind: z.literal('rules'), id: z.string(), sequence: z.string(), state: rulesState }),
])
export type ChangeData = z.infer<typeof changeData>
export const changeEvent = envelope('change', changeData)
type ChangeEvent = z.infer<typeof changeEvent>

export type AnyEvent = AuctionEvent | InteractionTopicEvent | OrderEvent | BillingEvent | ChangeEvent
