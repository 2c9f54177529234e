import { formatMoney, sumMicros } from '@endcap/contracts'
import { type ClickHouse, MAX_INSTANT_MS } from '@endcap/platform/clickhouse'
import type { Queryable } from '@endcap/platform/postgres'
import { type Check, checkOf, namesOf } from './check.js'
import { HOUR_MS, printHour } from './hours.js'
import type { PrintAmounts } from './print-amounts.js'
import type { Scope } from './scope.js'
import { type SpendDeps, spendByCurrency } from './spend-by-currency.js'
import { type ChargePeriod, chargeFacts, chargesByHour, type HourOfCharges } from './store/money-checks.js'
import {
  repeatedCharges,
  type SpendByMerchant,
  spendByMerchant,
  storedCharges,
  storedChargesByHour,
} from './store/rollup-checks.js'

/** Hours whose charges are looked at one by one. */
const MOST_HOURS_NAMED = 3
const MOST_IDS_NAMED = 3

export const billedPeriod = ({ sinceMs, billedBeforeMs }: Scope): ChargePeriod => ({
  sinceMs,
  occurredBeforeMs: MAX_INSTANT_MS,
  billedBeforeMs,
})

/** Postgres' charges beside ClickHouse's, hour by hour; an hour that differs is named with the charges in it that do. */
export async function checkChargesInClickHouse(
  { postgres, clickhouse }: { readonly postgres: Queryable; readonly clickhouse: ClickHouse },
  scope: Scope,
  charges: readonly HourOfCharges[],
): Promise<Check> {
  const { sinceMs, billedBeforeMs } = scope
  const stored = (await clickhouse.query(storedChargesByHour, { sinceMs, billedBeforeMs })).map(
    ({ startMs, ...rest }) => ({ hourMs: startMs, ...rest }),
  )
  const rightByKey = new Map(stored.map((hour) => [keyOf(hour), hour]))
  const leftByKey = new Map(charges.map((hour) => [keyOf(hour), hour]))
  const differing = [...new Set([...leftByKey.keys(), ...rightByKey.keys()])].filter((key) => {
    const [left, right] = [leftByKey.get(key), rightByKey.get(key)]
    return !left || !right || printHourOfCharges(left) !== printHourOfCharges(right)
  })
  const hours = [...new Set(differing.map((key) => Number(key.split(' ')[0])))].sort((a, b) => a - b)
  const names: string[] = []
  for (const [index, hourMs] of hours.entries()) {
    const ids = index < MOST_HOURS_NAMED ? await unlikeCharges(postgres, clickhouse, scope, hourMs) : []
    names.push(ids.length === 0 ? printHour(hourMs) : `${printHour(hourMs)} (${namesOf(ids)})`)
  }
  return checkOf('charges_in_clickhouse', printCharges(charges), printCharges(stored), names)
}

const keyOf = ({ hourMs, currency }: HourOfCharges) => `${hourMs} ${currency}`

const printHourOfCharges = ({ verdicts, charged, clawedBack, micros, checksum }: HourOfCharges): string =>
  `${verdicts} verdicts, ${charged} charged, ${clawedBack} given back, ${micros} (${checksum})`

async function unlikeCharges(
  postgres: Queryable,
  clickhouse: ClickHouse,
  { billedBeforeMs }: Scope,
  hourMs: number,
): Promise<readonly string[]> {
  const charges = await chargeFacts(postgres, {
    sinceMs: hourMs,
    occurredBeforeMs: hourMs + HOUR_MS,
    billedBeforeMs,
  })
  const rows = await clickhouse.query(storedCharges, { hourMs, billedBeforeMs })
  const stored = new Map(rows.map(({ id, facts }) => [id, facts]))
  return [...new Set([...charges.keys(), ...stored.keys()])]
    .filter((id) => charges.get(id) !== stored.get(id))
    .sort()
    .slice(0, MOST_IDS_NAMED)
}

function printCharges(hours: readonly HourOfCharges[]): string {
  const currencies = [...new Set(hours.map(({ currency }) => currency))].sort()
  return (
    currencies
      .map((currency) => {
        const of = hours.filter((hour) => hour.currency === currency)
        const count = (field: 'verdicts' | 'charged') => of.reduce((total, hour) => total + hour[field], 0)
        const micros = sumMicros(of.map((hour) => hour.micros))
        return `${currency} ${formatMoney(micros)} (${count('charged')} of ${count('verdicts')})`
      })
      .join(', ') || '0'
  )
}

/** In ClickHouse each interaction has one verdict, and each charge is given back once at most. */
export async function checkChargesOncePerInteraction(clickhouse: ClickHouse, scope: Scope): Promise<Check> {
  const [found] = await clickhouse.query(repeatedCharges, { sinceMs: scope.sinceMs })
  return checkOf(
    'charges_once_per_interaction',
    String(found!.rows),
    String(found!.distinct),
    found!.repeated,
  )
}

/** Net charges in Postgres beside the spend that reports read, by the minute and by the day. */
export async function checkChargesEqualReport(
  deps: SpendDeps,
  { sinceMs, hoursBeforeMs, daysBeforeMs }: Scope,
  print: PrintAmounts,
): Promise<Check> {
  const compare = async (query: SpendByMerchant, beforeMs: number) => {
    const period = { sinceMs, occurredBeforeMs: beforeMs, billedBeforeMs: MAX_INSTANT_MS }
    return [
      print(await chargesByHour(deps.postgres, period)),
      print(await spendByCurrency(deps, query, { sinceMs, beforeMs })),
    ] as const
  }
  const byMinute = await compare(spendByMerchant.minute, hoursBeforeMs)
  const byDay =
    sinceMs < daysBeforeMs ? await compare(spendByMerchant.day, daysBeforeMs) : (['0', '0'] as const)
  const same = byDay[0] === byMinute[0] && byDay[1] === byMinute[1]
  const side = (at: 0 | 1) => (same ? byMinute[at] : `${byMinute[at]}, by day ${byDay[at]}`)
  return checkOf('charges_equal_report', side(0), side(1), [])
}
