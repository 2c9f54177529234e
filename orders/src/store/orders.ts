import type { Queryable, Transaction } from '@endcap/platform/postgres'
import type { ListingAtOrder, PlacedLine, PlacedOrder } from '../domain/order.js'

/** The snapshot column: money as strings of micros, since JSON numbers are not exact. */
interface Snapshot {
  readonly customer: { readonly id: string }
  readonly lines: readonly (Omit<PlacedLine, 'unitPriceMicros' | 'listing'> & {
    readonly unitPriceMicros: string
    readonly listing: (Omit<ListingAtOrder, 'priceMicros'> & { readonly priceMicros: string }) | null
  })[]
}

interface OrderRow {
  readonly id: string
  readonly currency: string
  readonly totalMicros: bigint
  readonly placedAt: Date
  readonly createdAt: Date
  readonly snapshot: Snapshot
  readonly bodyHash: string
}

const COLUMNS = `id, currency, total_micros as "totalMicros", placed_at as "placedAt", created_at as "createdAt",
  snapshot, body_hash as "bodyHash"`

export interface StoredOrder {
  readonly order: PlacedOrder
  /** Of the body it was placed with. */
  readonly bodyHash: string
}

/**
 * Stores an order with its lines. False, and nothing written, when its id is taken; waits for another transaction that is just
 * taking it.
 */
export async function insertOrder(
  tx: Transaction,
  order: PlacedOrder,
  kept: { readonly customerHash: string; readonly bodyHash: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into orders (id, customer_hash, currency, total_micros, placed_at, snapshot, body_hash, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing`,
    [
      order.id,
      kept.customerHash,
      order.currency,
      order.totalMicros,
      order.placedAt,
      JSON.stringify(snapshotOf(order)),
      kept.bodyHash,
      order.createdAt,
    ],
  )
  if (rowCount === 0) return false
  const { lines } = order
  await tx.query(
    `insert into order_lines (order_id, line_id, listing_id, merchant_id, quantity, unit_price_micros)
     select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[])`,
    [
      order.id,
      lines.map((line) => line.id),
      lines.map((line) => line.listingId),
      lines.map((line) => line.listing?.merchantId ?? null),
      lines.map((line) => line.quantity),
      lines.map((line) => line.unitPriceMicros),
    ],
  )
  return true
}

export async function findOrder(q: Queryable, id: string): Promise<StoredOrder | undefined> {
  const { rows } = await q.query<OrderRow>(`select ${COLUMNS} from orders where id = $1`, [id])
  return rows[0] && storedOrderOf(rows[0])
}

/** A place in the list of orders: the last one seen. */
export interface OrderPlace {
  readonly createdAt: Date
  readonly id: string
}

/** Orders from the newest to the oldest, from behind `after` on. */
export async function listOrders(
  q: Queryable,
  limit: number,
  after: OrderPlace | undefined,
): Promise<readonly PlacedOrder[]> {
  const { rows } = await q.query<OrderRow>(
    `select ${COLUMNS} from orders where $2::timestamptz is null or (created_at, id) < ($2, $3::text)
     order by created_at desc, id desc limit $1`,
    [limit, after?.createdAt ?? null, after?.id ?? null],
  )
  return rows.map((row) => storedOrderOf(row).order)
}

const snapshotOf = (order: PlacedOrder): Snapshot => ({
  customer: { id: order.customerId },
  lines: order.lines.map((line) => ({
    ...line,
    unitPriceMicros: line.unitPriceMicros.toString(),
    listing: line.listing && { ...line.listing, priceMicros: line.listing.priceMicros.toString() },
  })),
})

const storedOrderOf = ({ snapshot, bodyHash, ...row }: OrderRow): StoredOrder => ({
  bodyHash,
  order: {
    ...row,
    customerId: snapshot.customer.id,
    lines: snapshot.lines.map((line) => ({
      ...line,
      unitPriceMicros: BigInt(line.unitPriceMicros),
      listing: line.listing && { ...line.listing, priceMicros: BigInt(line.listing.priceMicros) },
    })),
  },
})
