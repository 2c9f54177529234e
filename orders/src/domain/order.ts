import { formatMoney, type Micros, type Order } from '@endcap/contracts'

/** What a listing was when it was ordered. */
export interface ListingAtOrder {
  readonly merchantId: string
  readonly title: string
  readonly url: string
  readonly priceMicros: Micros
  readonly currency: string
}

export interface PlacedLine {
  readonly id: string
  readonly listingId: string
  readonly quantity: number
  /** What the customer pays for one, which may differ from the listing's price. */
  readonly unitPriceMicros: Micros
  /** Null for a listing that Endcap does not know: an organic line of no merchant. */
  readonly listing: ListingAtOrder | null
}

/** An order as it was placed. Nothing of it ever changes: what happens to it later is recorded beside it. */
export interface PlacedOrder {
  readonly id: string
  readonly customerId: string
  readonly placedAt: Date
  readonly currency: string
  readonly totalMicros: Micros
  readonly lines: readonly PlacedLine[]
  readonly createdAt: Date
}

/** The sum of a line, exact. */
export const lineTotal = (line: Pick<PlacedLine, 'quantity' | 'unitPriceMicros'>): Micros =>
  BigInt(line.quantity) * line.unitPriceMicros

/** The order as the API shows it. */
export const orderAnswer = (order: PlacedOrder): Order => ({
  id: order.id,
  customer: { id: order.customerId },
  placedAt: order.placedAt.toISOString(),
  currency: order.currency,
  total: formatMoney(order.totalMicros),
  lines: order.lines.map((line) => ({
    id: line.id,
    listingId: line.listingId,
    merchantId: line.listing?.merchantId ?? null,
    title: line.listing?.title ?? null,
    quantity: line.quantity,
    unitPrice: formatMoney(line.unitPriceMicros),
    total: formatMoney(lineTotal(line)),
  })),
  createdAt: order.createdAt.toISOString(),
})
