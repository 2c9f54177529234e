import type { AuctionEvent } from '@endcap/contracts'
import { instantForCell, int64ForCell, uint16ForCell, uint32ForCell } from '../cells.js'
import { defineTable } from '../define-table.js'
import { eventReads, type StoredEvent } from './stored-event.js'

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
