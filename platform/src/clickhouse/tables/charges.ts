import type { ChargeEvent } from '@endcap/contracts'
import { z } from 'zod'
import { countCell, instantForCell, int64Cell, int64ForCell, uint16ForCell } from '../cells.js'
import { defineQuery } from '../define-query.js'
import { defineTable } from '../define-table.js'
import { eventReads, type StoredEvent } from './stored-event.js'
import { freeVerdictsTable } from './verdicts.js'

/** One row a verdict of billing. */
export const chargesTable = defineTable<StoredEvent<ChargeEvent>>({
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
    amount_micros: ({ event }) => int64ForCell(event.data.amountMicros),
    price_micros: ({ event }) => int64ForCell(event.data.priceMicros),
    currency: ({ event }) => event.data.currency,
    outcome: ({ event }) => event.data.outcome,
    reason: ({ event }) => event.data.reason,
    source_batch: ({ batch }) => batch,
  },
})

/** Of the charges topic: the verdicts with a price, and those without. */
export const chargeReads = eventReads(chargesTable.name, freeVerdictsTable.name)

/** What was charged in each currency, from the raw verdicts. */
export const chargedByCurrency = defineQuery({
  name: 'charges_v1.charged_by_currency',
  params: z.object({}),
  row: z.object({ currency: z.string(), charges: countCell, amountMicros: int64Cell }),
  sql: `select currency, countIf(outcome = 'charged') as charges, sum(amount_micros) as amountMicros
    from charges_v1 group by currency order by currency`,
})
