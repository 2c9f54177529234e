import type { InteractionEvent } from '@endcap/contracts'
import {
  defineQuery,
  defineTable,
  instantForCell,
  instantMsParam,
  uint16ForCell,
} from '@endcap/platform/clickhouse'
import { z } from 'zod'
import { eventReads, type StoredEvent } from './stored-event.js'

/** One row an impression, viewable, click or add_to_cart, before any judgement of validity. The token is not kept. */
export const interactionsTable = defineTable<StoredEvent<InteractionEvent>>({
  name: 'interactions_v1',
  columns: {
    event_id: ({ event }) => event.id,
    type: ({ event }) => event.type,
    occurred_at: ({ event }) => instantForCell(event.occurredAt),
    received_at: ({ event }) => instantForCell(event.receivedAt),
    auction_id: ({ event }) => event.data.auctionId,
    position: ({ event }) => uint16ForCell(event.data.position),
    placement: ({ event }) => event.data.placement,
    search_term: ({ event }) => event.data.searchTerm,
    device: ({ event }) => event.data.device,
    model_version: ({ event }) => event.data.modelVersion,
    listing_id: ({ event }) => event.data.listingId,
    merchant_id: ({ event }) => event.data.merchantId,
    campaign_id: ({ event }) => event.data.campaignId,
    ad_id: ({ event }) => event.data.adId,
    sponsored: ({ event }) => event.data.sponsored,
    customer_hash: ({ event }) => event.data.customerHash,
    channel: ({ event }) => event.data.channel,
    address_hash: ({ event }) => event.data.client.addressHash,
    user_agent: ({ event }) => event.data.client.userAgent,
    source_batch: ({ batch }) => batch,
  },
})

export const interactionReads = eventReads(interactionsTable.name)

/** The sponsored impressions and clicks that came from one address within a period. */
export const interactionsOfAddress = defineQuery({
  name: 'interactions_v1.of_address',
  params: z.object({ addressHash: z.string(), fromMs: instantMsParam, toMs: instantMsParam, limit: z.int() }),
  row: z.object({ eventId: z.string() }),
  sql: `select distinct event_id as eventId from interactions_v1
    where occurred_at >= {fromMs:DateTime64(3, 'UTC')} and occurred_at < {toMs:DateTime64(3, 'UTC')}
      and address_hash = {addressHash:String} and sponsored and type in ('impression', 'click')
    limit {limit:UInt32}`,
})
