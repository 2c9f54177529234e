import type { Queryable } from '@endcap/platform/postgres'
import type { ListingAtOrder } from '../domain/order.js'

/** The known ones of these listings, active or not, as they are now. */
export async function listingsById(
  q: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ListingAtOrder>> {
  const { rows } = await q.query<ListingAtOrder & { id: string }>(
    `select id, merchant_id as "merchantId", title, url, price_micros as "priceMicros", currency
     from listings where id = any($1::text[])`,
    [[...new Set(ids)]],
  )
  return new Map(rows.map(({ id, ...listing }) => [id, listing]))
}
