import type { Queryable, Transaction } from '@endcap/platform/postgres'

/** A row of `merchants`. */
export interface MerchantRecord {
  readonly id: string
  readonly name: string
  readonly currency: string
  readonly timeZone: string
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

const COLUMNS = `id, name, currency, time_zone as "timeZone", version, created_at as "createdAt", updated_at as "updatedAt"`

export async function insertMerchant(tx: Transaction, merchant: MerchantRecord): Promise<void> {
  await tx.query(
    `insert into merchants (id, name, currency, time_zone, version, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      merchant.id,
      merchant.name,
      merchant.currency,
      merchant.timeZone,
      merchant.version,
      merchant.createdAt,
      merchant.updatedAt,
    ],
  )
}

export async function findMerchant(db: Queryable, id: string): Promise<MerchantRecord | undefined> {
  const { rows } = await db.query<MerchantRecord>(`select ${COLUMNS} from merchants where id = $1`, [id])
  return rows[0]
}

/** Like `findMerchant`, and holds the row against other writers until the transaction ends. */
export async function lockMerchant(tx: Transaction, id: string): Promise<MerchantRecord | undefined> {
  const { rows } = await tx.query<MerchantRecord>(
    `select ${COLUMNS} from merchants where id = $1 for update`,
    [id],
  )
  return rows[0]
}

export async function findMerchants(
  db: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, MerchantRecord>> {
  const { rows } = await db.query<MerchantRecord>(
    `select ${COLUMNS} from merchants where id = any($1::text[])`,
    [ids],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** Newest first. `only` restricts to these ids; `after` is the last id of the page before. */
export async function listMerchants(
  db: Queryable,
  page: {
    readonly only: readonly string[] | undefined
    readonly after: string | undefined
    readonly limit: number
  },
): Promise<readonly MerchantRecord[]> {
  const { rows } = await db.query<MerchantRecord>(
    `select ${COLUMNS} from merchants
     where ($1::text[] is null or id = any($1::text[])) and ($2::text is null or id < $2)
     order by id desc limit $3`,
    [page.only ?? null, page.after ?? null, page.limit],
  )
  return rows
}

export async function updateMerchant(tx: Transaction, merchant: MerchantRecord): Promise<void> {
  await tx.query(
    `update merchants set name = $2, time_zone = $3, version = $4, updated_at = $5 where id = $1`,
    [merchant.id, merchant.name, merchant.timeZone, merchant.version, merchant.updatedAt],
  )
}

/** The currencies of these merchants; of all merchants when `ids` is undefined. */
export async function currenciesOf(
  db: Queryable,
  ids: readonly string[] | undefined,
): Promise<readonly string[]> {
  const { rows } = await db.query<{ currency: string }>(
    `select distinct currency from merchants where $1::text[] is null or id = any($1::text[]) order by currency`,
    [ids ?? null],
  )
  return rows.map((row) => row.currency)
}
