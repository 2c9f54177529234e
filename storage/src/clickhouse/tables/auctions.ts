import type { AuctionEvent } from '@endcap/contracts'
import {
  countCell,
  defineQuery,
  defineTable,
  instantCell,
  instantForCell,
  int64Cell,
  int64ForCell,
  uint16ForCell,
  uint32ForCell,
} from '@endcap/platform/clickhouse'
import { z } from 'zod'
import { AMONG_EVENTS, amongEvents, eventReads, type StoredEvent } from './stored-event.js'

/** One row an auction; its slots and losers are in auction_slots_v1. */
export const auctionsTable = defineTable<StoredEvent<AuctionEvent>>({
  name: 'auctions_v1',
  columns: {
    event_id: ({ event }) => event.id,
    occurred_at: ({ event }) => instantForCell(event.occurredAt),
    received_at: ({ event }) => instantForCell(event.receivedAt),
    auction_id: ({ event }) => event.data.auctionId,
    request_id: ({ event }) => event.data.requestId,
    placement: ({ event }) => event.data.placement,
    query: ({ event }) => event.data.query,
    search_term: ({ event }) => event.data.searchTerm,
    categories: ({ event }) => event.data.categories,
    device: ({ event }) => event.data.device,
    customer_hash: ({ event }) => event.data.customerHash,
    session_hash: ({ event }) => event.data.sessionHash,
    model_version: ({ event }) => event.data.modelVersion,
    degraded: ({ event }) => event.data.degraded,
    candidates: ({ event }) => event.data.candidates.length,
    drops: ({ event }) =>
      Object.fromEntries(
        Object.entries(event.data.drops).map(([reason, count]) => [reason, uint32ForCell(count)]),
      ),
    has_terms: ({ event }) => event.data.terms !== null,
    currency: ({ event }) => event.data.terms?.currency ?? '',
    reserve_rule: ({ event }) => event.data.terms?.reserveRule ?? '',
    reserve_micros: ({ event }) => int64ForCell(event.data.terms?.reserveMicros ?? '0'),
    reserve_cpm_micros: ({ event }) => int64ForCell(event.data.terms?.reserveCpmMicros ?? '0'),
    squashing: ({ event }) => event.data.terms?.squashing ?? 1,
    max_per_merchant: ({ event }) => uint16ForCell(event.data.terms?.maxPerMerchant ?? 0),
    total_slots: ({ event }) => uint16ForCell(event.data.terms?.totalSlots ?? 0),
    for_sale: ({ event }) => (event.data.terms?.forSale ?? []).map(uint16ForCell),
    source_batch: ({ batch }) => batch,
  },
})

export const auctionReads = eventReads(auctionsTable.name)

const storedAuction = z.object({
  eventId: z.string(),
  occurredAt: instantCell,
  auctionId: z.string(),
  placement: z.string(),
  query: z.string(),
  searchTerm: z.string(),
  categories: z.array(z.string()),
  device: z.string(),
  modelVersion: z.string(),
  degraded: z.array(z.string()),
  drops: z.record(z.string(), countCell),
  /** false: of before terms were stored; all that follows says nothing then. */
  hasTerms: z.boolean(),
  currency: z.string(),
  reserveRule: z.string(),
  reserveMicros: int64Cell,
  reserveCpmMicros: int64Cell,
  squashing: z.number(),
  maxPerMerchant: z.int(),
  totalSlots: z.int(),
  forSale: z.array(z.int()),
})
/** An auction without its candidates. */
export type StoredAuction = z.infer<typeof storedAuction>

const SELECT_AUCTION = `select event_id as eventId, occurred_at as occurredAt, auction_id as auctionId, placement, query,
    search_term as searchTerm, categories, device, model_version as modelVersion, degraded, drops, has_terms as hasTerms, currency,
    reserve_rule as reserveRule, reserve_micros as reserveMicros, reserve_cpm_micros as reserveCpmMicros, squashing,
    max_per_merchant as maxPerMerchant, total_slots as totalSlots, for_sale as forSale
  from auctions_v1`

/** One auction by its id; none, or one. */
export const auctionById = defineQuery({
  name: 'auctions_v1.by_auction_id',
  params: z.object({ auctionId: z.string() }),
  row: storedAuction,
  sql: `${SELECT_AUCTION} where auction_id = {auctionId:String} limit 1`,
})

/** Auctions by the ids of their events. */
export const auctionsByEvent = defineQuery({
  name: 'auctions_v1.by_event',
  params: amongEvents,
  row: storedAuction,
  sql: `${SELECT_AUCTION} where ${AMONG_EVENTS} order by occurred_at, event_id limit 1 by event_id`,
})
