import type { Queryable, Transaction } from '@endcap/platform/postgres'
import type { ListingContent, ListingRecord } from '../domain/listing.js'

const COLUMNS = `id, merchant_id as "merchantId", title, url, categories, price_micros as "priceMicros", currency, lat, lng,
  attributes, status, version, created_at as "createdAt", updated_at as "updatedAt"`

export async function findListing(db: Queryable, id: string): Promise<ListingRecord | undefined> {
  const { rows } = await db.query<ListingRecord>(`select ${COLUMNS} from listings where id = $1`, [id])
  return rows[0]
}

/** By merchant and id. `merchantIds` restricts to these merchants; `after` is the last row of the page before. */
export async function listListings(
  db: Queryable,
  page: {
    readonly merchantIds: readonly string[] | undefined
    readonly status: string | undefined
    readonly after: readonly [merchantId: string, id: string] | undefined
    readonly limit: number
  },
): Promise<readonly ListingRecord[]> {
  const { rows } = await db.query<ListingRecord>(
    `select ${COLUMNS} from listings
     where ($1::text[] is null or merchant_id = any($1::text[])) and ($2::text is null or status = $2)
       and ($3::text is null or (merchant_id, id) > ($3, $4::text))
     order by merchant_id, id limit $5`,
    [
      page.merchantIds ?? null,
      page.status ?? null,
      page.after?.[0] ?? null,
      page.after?.[1] ?? null,
      page.limit,
    ],
  )
  return rows
}

/** Who owns each of these listings now, and the hash of its content. */
export async function findListingOwners(
  db: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, { readonly merchantId: string; readonly contentHash: string }>> {
  const { rows } = await db.query<{ id: string; merchantId: string; contentHash: string }>(
    `select id, merchant_id as "merchantId", content_hash as "contentHash" from listings where id = any($1::text[])`,
    [ids],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/**
 * Creates and updates listings in one statement and gives back those that changed. A listing of another merchant, and one
 * whose content is the same, stays as it is and is not in the result.
 */
export async function upsertListings(
  tx: Transaction,
  listings: readonly ListingContent[],
  now: Date,
): Promise<ReadonlyMap<string, ListingRecord>> {
  // Always in id order: two calls that share listings then wait for each other instead of deadlocking.
  const items = [...listings]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((listing) => ({ ...listing, priceMicros: listing.priceMicros.toString() }))
  const { rows } = await tx.query<ListingRecord>(
    `insert into listings (id, merchant_id, title, url, categories, price_micros, currency, lat, lng, attributes, status,
       content_hash, created_at, updated_at)
     select item.id, item."merchantId", item.title, item.url, item.categories, item."priceMicros", item.currency, item.lat,
       item.lng, item.attributes, item.status, item."contentHash", $2, $2
     from jsonb_to_recordset($1::jsonb) as item (id text, "merchantId" text, title text, url text, categories text[],
       "priceMicros" bigint, currency text, lat double precision, lng double precision, attributes jsonb, status text,
       "contentHash" text)
     on conflict (id) do update set title = excluded.title, url = excluded.url, categories = excluded.categories,
       price_micros = excluded.price_micros, currency = excluded.currency, lat = excluded.lat, lng = excluded.lng,
       attributes = excluded.attributes, status = excluded.status, content_hash = excluded.content_hash,
       version = listings.version + 1, updated_at = excluded.updated_at
     where listings.merchant_id = excluded.merchant_id and listings.content_hash <> excluded.content_hash
     returning ${COLUMNS}`,
    [JSON.stringify(items), now],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** Which of these ids are listings of the merchant. */
export async function ownListingIds(
  db: Queryable,
  merchantId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ id: string }>(
    `select id from listings where merchant_id = $1 and id = any($2::text[])`,
    [merchantId, ids],
  )
  return new Set(rows.map((row) => row.id))
}
