/**
 * What both stores keep of a verdict, and of a charge given back, printed alike by both: a row that says anything else gives another text.
 */
const TEXTS = [
  'interaction_id',
  'interaction_type',
  'auction_id',
  'merchant_id',
  'campaign_id',
  'ad_id',
  'listing_id',
  'pricing',
  'outcome',
  'reason',
]
const NUMBERS = ['position', 'amount_micros', 'price_micros']

const postgresMs = (column: string) => `(extract(epoch from ${column}) * 1000)::bigint`
const clickHouseMs = (column: string) => `toString(toUnixTimestamp64Milli(${column}))`

const inPostgres = (columns: readonly string[]): string =>
  `concat_ws('|', ${[...columns, postgresMs('occurred_at'), postgresMs('created_at')].join(', ')})`
const inClickHouse = (columns: readonly string[]): string =>
  `concatWithSeparator('|', ${[...columns, clickHouseMs('occurred_at'), clickHouseMs('received_at')].join(', ')})`

/** Of a row of `charges`. */
export const CHARGE_FACTS = inPostgres(['id', ...TEXTS, ...NUMBERS])
/** Of a row of `clawed_back_charges`. */
export const CLAWBACK_FACTS = inPostgres([`'claw:' || charge_id`, 'campaign_id', '-amount_micros'])

/** Of a row of `charges_v1`. */
export const STORED_FACTS = `if(outcome = 'clawed_back',
  ${inClickHouse(['event_id', 'campaign_id', 'toString(amount_micros)'])},
  ${inClickHouse(['event_id', ...TEXTS, ...NUMBERS.map((column) => `toString(${column})`)])})`
