import {
  bigintArray,
  dateArray,
  intArray,
  type Postgres,
  textArray,
  timestampArray,
} from '@endcap/platform/postgres'

/** How a column's values are sent, as billing sends them. */
const ARRAYS = {
  text: (values: readonly unknown[]) => textArray(values as string[]),
  int: (values: readonly unknown[]) => intArray(values as number[]),
  bigint: (values: readonly unknown[]) => bigintArray(values as bigint[]),
  date: (values: readonly unknown[]) => dateArray(values as string[]),
  timestamptz: (values: readonly unknown[]) => timestampArray((values as Date[]).map((at) => at.getTime())),
} as const

/** A table that billing adds rows to: its columns with their types, and what tells new rows. */
const TABLES = [
  {
    name: 'charges',
    order: 'id',
    columns: {
      id: 'text',
      interaction_id: 'text',
      interaction_type: 'text',
      auction_id: 'text',
      position: 'int',
      merchant_id: 'text',
      campaign_id: 'text',
      ad_id: 'text',
      listing_id: 'text',
      pricing: 'text',
      amount_micros: 'bigint',
      price_micros: 'bigint',
      currency: 'text',
      outcome: 'text',
      reason: 'text',
      budget_day: 'date',
      occurred_at: 'timestamptz',
      created_at: 'timestamptz',
    },
  },
  {
    name: 'ledger_entries',
    order: 'id',
    where: "kind = 'charge'",
    columns: {
      transaction_id: 'text',
      idempotency_key: 'text',
      kind: 'text',
      account_id: 'text',
      amount_micros: 'bigint',
      currency: 'text',
      reference: 'text',
      occurred_at: 'timestamptz',
      created_at: 'timestamptz',
    },
  },
  {
    name: 'seen_impressions',
    order: 'occurred_at',
    columns: {
      auction_id: 'text',
      position: 'int',
      impression_id: 'text',
      occurred_at: 'timestamptz',
      click_id: 'text',
      recorded_at: 'timestamptz',
    },
  },
  {
    name: 'outbox',
    order: 'id',
    // The rows of free interactions stand together in few: they are counted with the last of them.
    where: `value like '%"type":"charge"%'`,
    columns: { topic: 'text', key: 'text', value: 'text', created_at: 'timestamptz' },
  },
] as const

/** The new rows of each table, in order. */
export type NewRows = readonly { readonly table: (typeof TABLES)[number]; readonly rows: readonly object[] }[]

/** What billing has written since it had settled so many charges; of every charge a row in each table, of the ledger two. */
export async function rowsSince(postgres: Postgres, charges: number): Promise<NewRows> {
  const found: { table: (typeof TABLES)[number]; rows: readonly object[] }[] = []
  for (const table of TABLES) {
    const before = table.name === 'ledger_entries' ? charges * 2 : charges
    const { rows } = await postgres.query(
      `select ${Object.keys(table.columns).join(', ')} from ${table.name}
       ${'where' in table ? `where ${table.where}` : ''} order by ${table.order} offset $1`,
      [before],
    )
    found.push({ table, rows })
  }
  return found
}

/** `driver`: arrays as the driver writes them, in text. `binary`: as billing sends them. */
export type Format = 'driver' | 'binary'

/** Inserts the rows, those of `batch` charges in one transaction, a statement a table. */
export async function insertPlainly(
  postgres: Postgres,
  all: NewRows,
  batch: number,
  format: Format,
): Promise<void> {
  const charges = all[0]!.rows.length
  await postgres.query(
    `insert into ledger_accounts (id, kind, currency, updated_at) values ('revenue:EUR', 'revenue', 'EUR', now())
     on conflict do nothing`,
  )
  for (let start = 0; start < charges; start += batch) {
    await postgres.transaction(async (tx) => {
      for (const { table, rows } of all) {
        const share = rows.length / charges
        const part = rows.slice(start * share, (start + batch) * share) as readonly Record<string, unknown>[]
        const names = Object.keys(table.columns)
        const types = Object.values(table.columns) as (keyof typeof ARRAYS)[]
        await tx.query(
          `insert into ${table.name} (${names.join(', ')})
           select * from unnest(${types.map((type, index) => `$${index + 1}::${type}[]`).join(', ')})`,
          names.map((name, index) => {
            const values = part.map((row) => row[name])
            return format === 'binary' ? ARRAYS[types[index]!](values) : values
          }),
        )
      }
    })
  }
}
