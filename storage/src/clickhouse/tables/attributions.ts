import type { InteractionType, Micros } from '@endcap/contracts'
import {
  defineTable,
  int64ForCell,
  toDateTime64,
  uint16ForCell,
  uint32ForCell,
} from '@endcap/platform/clickhouse'

/** Which touch earned an order line. The row of the highest version counts: read the table with FINAL. */
export interface AttributionRow {
  readonly orderId: string
  readonly lineId: string
  readonly model: string
  readonly orderAtMs: number
  readonly customerHash: string
  readonly listingId: string
  readonly merchantId: string
  readonly quantity: number
  readonly salesMicros: Micros
  readonly currency: string
  readonly touchEventId: string
  readonly touchType: InteractionType
  readonly touchAtMs: number
  readonly auctionId: string
  readonly position: number
  readonly placement: string
  readonly searchTerm: string
  readonly device: string
  readonly modelVersion: string
  readonly campaignId: string
  readonly adId: string
  readonly sponsored: boolean
  readonly version: bigint
}

export const attributionsTable = defineTable<AttributionRow>({
  name: 'attributions_v1',
  columns: {
    order_id: (row) => row.orderId,
    line_id: (row) => row.lineId,
    model: (row) => row.model,
    order_at: (row) => toDateTime64(row.orderAtMs),
    customer_hash: (row) => row.customerHash,
    listing_id: (row) => row.listingId,
    merchant_id: (row) => row.merchantId,
    quantity: (row) => uint32ForCell(row.quantity),
    sales_micros: (row) => int64ForCell(row.salesMicros),
    currency: (row) => row.currency,
    touch_event_id: (row) => row.touchEventId,
    touch_type: (row) => row.touchType,
    touch_at: (row) => toDateTime64(row.touchAtMs),
    auction_id: (row) => row.auctionId,
    position: (row) => uint16ForCell(row.position),
    placement: (row) => row.placement,
    search_term: (row) => row.searchTerm,
    device: (row) => row.device,
    model_version: (row) => row.modelVersion,
    campaign_id: (row) => row.campaignId,
    ad_id: (row) => row.adId,
    sponsored: (row) => row.sponsored,
    version: (row) => int64ForCell(row.version),
  },
})
