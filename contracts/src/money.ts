/**
 * Money is an integer number of micros (millionths of one currency unit) in `bigint`; on the wire it is a
 * decimal string of at most six decimals with the currency beside it. Nothing here accepts a JS number.
 */
export type Micros = bigint

export const MICROS_PER_UNIT = 1_000_000n
const MAX_DECIMALS = 6
/** Largest amount that Postgres BIGINT and ClickHouse Int64 hold with room for sums: 10^12 units. */
export const MAX_MICROS = 10n ** 18n
const MAX_UNIT_DIGITS = (MAX_MICROS / MICROS_PER_UNIT).toString().length
const DECIMAL = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/

export class MoneyError extends Error {
  override readonly name = 'MoneyError'
}

/**
 * Reads a decimal string ("12.5", "-0.000001") as micros.
 * @throws MoneyError for anything but a plain decimal string, for more than six decimals, and beyond ±10^12 units.
 */
export function parseMoney(text: string): Micros {
  if (typeof text !== 'string') throw new MoneyError('money must be a decimal string, not a number')
  const match = DECIMAL.exec(text)
  if (!match) throw new MoneyError(`"${text.slice(0, 40)}" is not a decimal amount such as "12.50"`)
  const [, sign, units, decimals = ''] = match
  if (decimals.length > MAX_DECIMALS) throw new MoneyError('money has at most 6 decimals')
  // Digits without end are not worth adding up.
  if (units!.length > MAX_UNIT_DIGITS) throw new MoneyError(TOO_LARGE)
  const micros = BigInt(units!) * MICROS_PER_UNIT + BigInt(decimals.padEnd(MAX_DECIMALS, '0'))
  if (micros > MAX_MICROS) throw new MoneyError(TOO_LARGE)
  return sign === '-' ? -micros : micros
}

/** Prints micros as the shortest exact decimal string: 1_500_000n → "1.5", 0n → "0". */
export function formatMoney(micros: Micros): string {
  return formatPrice(micros).replace(/\.?0+$/, '')
}

/** Prints micros with all six decimals: 100_000n → "0.100000". Used where columns of prices are compared by eye. */
export function formatPrice(micros: Micros): string {
  const absolute = micros < 0n ? -micros : micros
  const decimals = (absolute % MICROS_PER_UNIT).toString().padStart(MAX_DECIMALS, '0')
  return `${micros < 0n ? '-' : ''}${absolute / MICROS_PER_UNIT}.${decimals}`
}

const TOO_LARGE = `the amount is too large: the most is ${formatMoney(MAX_MICROS)}`

/** An amount that knows its currency (ISO 4217), for sums that must not mix currencies. */
export interface Money {
  readonly micros: Micros
  readonly currency: string
}

/** Adds two amounts. @throws MoneyError when the currencies differ. */
export function addMoney(a: Money, b: Money): Money {
  assertSameCurrency(a, b)
  return { micros: a.micros + b.micros, currency: a.currency }
}

/** Subtracts `b` from `a`. @throws MoneyError when the currencies differ. */
export function subtractMoney(a: Money, b: Money): Money {
  assertSameCurrency(a, b)
  return { micros: a.micros - b.micros, currency: a.currency }
}

function assertSameCurrency(a: Money, b: Money): void {
  if (a.currency !== b.currency) throw new MoneyError(`cannot combine ${a.currency} with ${b.currency}`)
}

/** Sum of micros; the empty sum is 0. */
export const sumMicros = (amounts: Iterable<Micros>): Micros => {
  let total = 0n
  for (const amount of amounts) total += amount
  return total
}

export const minMicros = (a: Micros, b: Micros): Micros => (a < b ? a : b)
export const maxMicros = (a: Micros, b: Micros): Micros => (a > b ? a : b)

/**
 * Converts micros to a float of currency units, for scores and charts only; never convert back.
 */
export const microsToFloat = (micros: Micros): number => Number(micros) / 1e6
