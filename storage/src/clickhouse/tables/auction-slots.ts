import type { AuctionCandidate, AuctionEvent } from '@endcap/contracts'
import {
  CellError,
  countCell,
  defineQuery,
  defineTable,
  floatForCell,
  instantForCell,
  instantMsCell,
  instantMsParam,
  int64Cell,
  int64ForCell,
  uint16ForCell,
  uint32ForCell,
} from '@endcap/platform/clickhouse'
import { z } from 'zod'
import { AMONG_EVENTS, amongEvents, type StoredEvent } from './stored-event.js'

export interface AuctionSlotRow extends StoredEvent<AuctionEvent> {
  /** Index in the event's candidates. */
  readonly candidate: number
  readonly slot: AuctionCandidate
  /** As served; empty when none were computed. */
  readonly features: Float32Array
}

/** One row per shown slot and logged loser, with features as served. */
export const auctionSlotsTable = defineTable<AuctionSlotRow>({
  name: 'auction_slots_v1',
  columns: {
    event_id: ({ event }) => event.id,
    occurred_at: ({ event }) => instantForCell(event.occurredAt),
    auction_id: ({ event }) => event.data.auctionId,
    candidate: ({ candidate }) => uint16ForCell(candidate),
    placement: ({ event }) => event.data.placement,
    search_term: ({ event }) => event.data.searchTerm,
    device: ({ event }) => event.data.device,
    model_version: ({ event }) => event.data.modelVersion,
    position: ({ slot }) => uint16ForCell(slot.position),
    listing_id: ({ slot }) => slot.listingId,
    merchant_id: ({ slot }) => slot.merchantId,
    campaign_id: ({ slot }) => slot.campaignId,
    ad_id: ({ slot }) => slot.adId,
    sponsored: ({ slot }) => slot.sponsored,
    outcome: ({ slot }) => slot.outcome,
    reason: ({ slot }) => slot.reason,
    pricing: ({ slot }) => slot.pricing,
    bid_micros: ({ slot }) => int64ForCell(slot.bidMicros),
    price_micros: ({ slot }) => int64ForCell(slot.priceMicros),
    pctr: ({ slot }) => slot.pctr,
    pcvr: ({ slot }) => slot.pcvr,
    quality: ({ slot }) => slot.quality,
    score: ({ slot }) => slot.score,
    organic_score: ({ slot }) => slot.organicScore,
    organic_rank: ({ slot }) => uint16ForCell(slot.organicRank),
    relevance: ({ slot }) => slot.relevance,
    sample_probability: ({ slot }) => slot.sampleProbability,
    tie_draw: ({ slot }) => (slot.tieDraw === undefined ? null : uint32ForCell(slot.tieDraw)),
    feature_set: ({ event }) => event.data.featureSet,
    features: ({ features }) => Array.from(features, floatForCell),
    source_batch: ({ batch }) => batch,
  },
})

/**
 * The slot rows of an auction, its features decoded.
 * @throws CellError when the features are not whole float32 rows, one a candidate
 */
export function auctionSlotRows({ event, batch }: StoredEvent<AuctionEvent>): AuctionSlotRow[] {
  const { candidates, features } = event.data
  const floats = decodeFeatures(features)
  const width = candidates.length === 0 ? 0 : floats.length / candidates.length
  if (!Number.isInteger(width) || (candidates.length === 0 && floats.length > 0)) {
    throw new CellError(`${floats.length} features are not whole rows for ${candidates.length} candidates`)
  }
  return candidates.map((slot, candidate) => ({
    event,
    batch,
    candidate,
    slot,
    features: floats.subarray(candidate * width, (candidate + 1) * width),
  }))
}

function decodeFeatures(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length % 4 !== 0 || bytes.toString('base64') !== base64) {
    throw new CellError('the features are not base64 of float32')
  }
  const floats = new Float32Array(bytes.length / 4)
  for (let i = 0; i < floats.length; i++) floats[i] = bytes.readFloatLE(i * 4)
  return floats
}

/** Slot rows, and how many distinct (event, candidate) pairs they are: equal when none is doubled. */
export const auctionSlotCounts = defineQuery({
  name: 'auction_slots_v1.counts',
  params: z.object({}),
  row: z.object({ rows: countCell, distinct: countCell, events: countCell }),
  sql: `select count() as rows, uniqExact(event_id, candidate) as distinct, uniqExact(event_id) as events from auction_slots_v1`,
})

const storedCandidate = z.object({
  eventId: z.string(),
  position: z.int(),
  listingId: z.string(),
  merchantId: z.string(),
  campaignId: z.string(),
  adId: z.string(),
  sponsored: z.boolean(),
  reason: z.string(),
  pricing: z.enum(['cpc', 'cpm', '']),
  bidMicros: int64Cell,
  priceMicros: int64Cell,
  // A Float32 is printed as short as it is told apart from others; rounded again it is the number that was stored.
  pctr: z.number().transform(Math.fround),
  pcvr: z.number().transform(Math.fround),
  relevance: z.number(),
  sampleProbability: z.number(),
  organicScore: z.number().nullable(),
  organicRank: z.int(),
})
/** A shown slot or logged loser, without its features. */
export type StoredCandidate = z.infer<typeof storedCandidate>

/** The candidates of auctions, by the ids of their events, in the order of the log. */
export const candidatesByEvent = defineQuery({
  name: 'auction_slots_v1.by_event',
  params: amongEvents,
  row: storedCandidate,
  sql: `select event_id as eventId, position, listing_id as listingId, merchant_id as merchantId, campaign_id as campaignId,
      ad_id as adId, sponsored, reason, pricing, bid_micros as bidMicros, price_micros as priceMicros, pctr, pcvr, relevance,
      sample_probability as sampleProbability, organic_score as organicScore, organic_rank as organicRank
    from auction_slots_v1 where ${AMONG_EVENTS} order by event_id, candidate limit 1 by event_id, candidate`,
})

/**
 * Auctions of a time that the log holds a bid of a campaign in: at most `most` of them, spread evenly and the same ones each time, with the
 * number of all of them.
 */
export const auctionsWithCampaign = defineQuery({
  name: 'auction_slots_v1.auctions_with_campaign',
  params: z.object({
    campaignId: z.string(),
    merchantId: z.string(),
    from: instantMsParam,
    to: instantMsParam,
    most: z.int().min(1),
  }),
  row: z.object({ eventId: z.string(), atMs: instantMsCell, found: countCell }),
  sql: `select event_id as eventId, any(occurred_at) as atMs, count() over () as found
    from auction_slots_v1
    where campaign_id = {campaignId:String} and merchant_id = {merchantId:String}
      and occurred_at >= {from:DateTime64(3, 'UTC')} and occurred_at < {to:DateTime64(3, 'UTC')}
    group by event_id order by cityHash64(event_id), event_id limit {most:UInt32}`,
})

/**
 * Auctions of a time that the log holds a bid of a campaign in, by UTC day: at most `most` of each day, spread evenly and the same ones each
 * time, whatever the time around the day is, with the number of all of that day within the time.
 */
export const auctionsWithCampaignByDay = defineQuery({
  name: 'auction_slots_v1.auctions_with_campaign_by_day',
  params: z.object({
    campaignId: z.string(),
    merchantId: z.string(),
    from: instantMsParam,
    to: instantMsParam,
    most: z.int().min(1),
  }),
  row: z.object({ eventId: z.string(), atMs: instantMsCell, found: countCell }),
  sql: `select eventId, atMs, count() over (partition by toDate(atMs)) as found
    from (
      select event_id as eventId, any(occurred_at) as atMs
      from auction_slots_v1
      where campaign_id = {campaignId:String} and merchant_id = {merchantId:String}
        and occurred_at >= {from:DateTime64(3, 'UTC')} and occurred_at < {to:DateTime64(3, 'UTC')}
      group by event_id
    )
    order by toDate(atMs), cityHash64(eventId), eventId limit {most:UInt32} by toDate(atMs)`,
})
