import type { ChargeEvent, ClawbackEvent } from '@endcap/contracts'
import {
  defineQuery,
  defineTable,
  instantForCell,
  int64ForCell,
  uint16ForCell,
} from '@endcap/platform/clickhouse'
import { z } from 'zod'
import { eventReads, hoursOf, type StoredEvent } from './stored-event.js'
import { freeVerdictsTable } from './verdicts.js'

/** One row a verdict of billing, and one a charge given back: `clawed_back`, its amount negative. */
export const chargesTable = defineTable<StoredEvent<ChargeEvent | ClawbackEvent>>({
  name: 'charges_v1',
  columns: {
    event_id: ({ event }) => event.id,
    occurred_at: ({ event }) => instantForCell(event.occurredAt),
    received_at: ({ event }) => instantForCell(event.receivedAt),
    charge_id: ({ event }) => event.data.chargeId,
    interaction_id: ({ event }) => event.data.interactionId,
    interaction_type: ({ event }) => event.data.interactionType,
    auction_id: ({ event }) => event.data.auctionId,
    position: ({ event }) => uint16ForCell(event.data.position),
    placement: ({ event }) => event.data.placement,
    search_term: ({ event }) => event.data.searchTerm,
    device: ({ event }) => event.data.device,
    model_version: ({ event }) => event.data.modelVersion,
    merchant_id: ({ event }) => event.data.merchantId,
    campaign_id: ({ event }) => event.data.campaignId,
    ad_id: ({ event }) => event.data.adId,
    listing_id: ({ event }) => event.data.listingId,
    pricing: ({ event }) => event.data.pricing,
    amount_micros: ({ event }) =>
      int64ForCell(event.type === 'clawback' ? -BigInt(event.data.amountMicros) : event.data.amountMicros),
    price_micros: ({ event }) => int64ForCell(event.type === 'clawback' ? 0n : event.data.priceMicros),
    currency: ({ event }) => event.data.currency,
    outcome: ({ event }) => (event.type === 'clawback' ? 'clawed_back' : event.data.outcome),
    reason: ({ event }) => event.data.reason,
    source_batch: ({ batch }) => batch,
  },
})

/** Of the charges topic: the verdicts with a price, and those without. */
export const chargeReads = eventReads(chargesTable.name, freeVerdictsTable.name)

/** Where charges were shown, which only their events know. `atMs`: when they occurred. */
export const chargeSlots = defineQuery({
  name: 'charges_v1.slots',
  params: z
    .object({ ids: z.array(z.string()), atMs: z.array(z.int()).min(1) })
    .transform(({ ids, atMs }) => ({ ids, ...hoursOf(atMs) })),
  row: z.object({
    chargeId: z.string(),
    placement: z.string(),
    searchTerm: z.string(),
    device: z.string(),
    modelVersion: z.string(),
  }),
  sql: `select event_id as chargeId, any(placement) as placement, any(search_term) as searchTerm, any(device) as device,
      any(model_version) as modelVersion
    from charges_v1
    where occurred_at >= {from:DateTime64(3, 'UTC')} and occurred_at <= {to:DateTime64(3, 'UTC')}
      and toStartOfHour(occurred_at) in {hours:Array(DateTime('UTC'))} and event_id in {ids:Array(String)}
    group by event_id`,
})
