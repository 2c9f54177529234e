import type { OrderEvent } from '@endcap/contracts'
import { defineTable, instantForCell, int64ForCell, uint32ForCell } from '@endcap/platform/clickhouse'
import { eventReads, type StoredEvent } from './stored-event.js'

export interface OrderLineRow extends StoredEvent<OrderEvent> {
  readonly line: OrderEvent['data']['lines'][number]
}

/** One row a line of an order. */
export const orderLinesTable = defineTable<OrderLineRow>({
  name: 'order_lines_v1',
  columns: {
    event_id: ({ event }) => event.id,
    occurred_at: ({ event }) => instantForCell(event.occurredAt),
    received_at: ({ event }) => instantForCell(event.receivedAt),
    order_id: ({ event }) => event.data.orderId,
    line_id: ({ line }) => line.lineId,
    customer_hash: ({ event }) => event.data.customerHash,
    listing_id: ({ line }) => line.listingId,
    merchant_id: ({ line }) => line.merchantId,
    quantity: ({ line }) => uint32ForCell(line.quantity),
    unit_price_micros: ({ line }) => int64ForCell(line.unitPriceMicros),
    currency: ({ event }) => event.data.currency,
    source_batch: ({ batch }) => batch,
  },
})

export const orderLineRows = ({ event, batch }: StoredEvent<OrderEvent>): OrderLineRow[] =>
  event.data.lines.map((line) => ({ event, batch, line }))

export const orderLineReads = eventReads(orderLinesTable.name)
