import { formatMoney, formatPrice, type Micros, sumMicros } from '@endcap/contracts'
import type { MoneyByCurrency } from './store/money-checks.js'

/** Prints the amounts of one side of a check. */
export type PrintAmounts = (amounts: readonly MoneyByCurrency[]) => string

/**
 * How the checks of a marketplace print money: "12.5" where its merchants all have one currency, "EUR 12.500000, USD 3.000000" where they
 * have several. Sides are compared as they are printed, so that what one currency lacks is never made up for by another.
 */
export const amountsPrinter =
  (currencies: readonly string[]): PrintAmounts =>
  (amounts) => {
    const sums = new Map<string, Micros>()
    for (const { currency, micros } of amounts) sums.set(currency, (sums.get(currency) ?? 0n) + micros)
    if (new Set([...currencies, ...sums.keys()]).size <= 1) return formatMoney(sumMicros(sums.values()))
    return (
      [...sums]
        .filter(([, micros]) => micros !== 0n)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([currency, micros]) => `${currency} ${formatPrice(micros)}`)
        .join(', ') || '0'
    )
  }
