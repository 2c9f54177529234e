import type { AuctionEvent } from '@endcap/contracts'
import { instantForCell, uint32ForCell } from '../cells.js'
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
    source_batch: ({ batch }) => batch,
  },
})

export const auctionReads = eventReads(auctionsTable.name)
