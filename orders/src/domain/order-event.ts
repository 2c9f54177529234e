import { newEvent, type OrderEvent } from '@endcap/contracts'
import type { PlacedOrder } from './order.js'

/** What the log is told of an order: no customer id, only its keyed hash. Records of one order stay in order. */
export const orderEventOf = (order: PlacedOrder, eventId: string, customerHash: string): OrderEvent =>
  newEvent('order', {
    id: eventId,
    occurredAtMs: order.placedAt.getTime(),
    receivedAtMs: order.createdAt.getTime(),
    source: 'orders',
    key: order.id,
    data: {
      orderId: order.id,
      customerHash,
      currency: order.currency,
      placedAt: order.placedAt.toISOString(),
      lines: order.lines.map((line) => ({
        lineId: line.id,
        listingId: line.listingId,
        merchantId: line.listing?.merchantId ?? '',
        quantity: line.quantity,
        unitPriceMicros: line.unitPriceMicros.toString(),
      })),
    },
  })
