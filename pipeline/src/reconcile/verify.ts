import { type Clock, formatMoney, type Micros, sumMicros, TOPICS, type TokenKey } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { EventLog } from '@endcap/platform/event-log'
import { ledgerSums, type Postgres, walletsThatDisagree } from '@endcap/platform/postgres'
import { countEvents, recordsToCount } from './count-events.js'
import { recountBillable } from './recount-billable.js'
import {
  budgetExcess,
  type ChargeTotals,
  chargedByCurrency,
  chargesUnlikeTheirEntries,
  compareCounters,
  type MoneyByCurrency,
  negativeWallets,
  revenueByCurrency,
  unbalancedTransactions,
} from './store/money-checks.js'
import {
  chargesSince,
  dayTotals,
  minuteTotals,
  type PerformanceTotals,
  rawTotals,
} from './store/rollup-checks.js'

export interface VerifyDeps {
  readonly postgres: Postgres
  readonly clickhouse: ClickHouse
  readonly log: EventLog
  /** The keys that the log's tokens were sealed with, old ones too. */
  readonly tokenKeys: readonly TokenKey[]
  readonly clock: Clock
}

export interface VerifyOptions {
  /** Records of the log read so far, of all. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Two counts of the same thing, made in two ways. */
export interface Check {
  readonly name: string
  readonly left: string
  readonly right: string
  readonly ok: boolean
}

export interface Verification {
  readonly ok: boolean
  readonly checks: readonly Check[]
}

const DAY_MS = 86_400_000
/** ClickHouse keeps raw rows for 13 months: what is compared with them is at most this old. */
const COMPARED_DAYS = 365

/**
 * Recounts everything from the log, Postgres and ClickHouse: each pair must agree once all is settled (see `waitUntilSettled`).
 * Where the log's retention has removed its beginning, what the log holds can only be a part of what is stored.
 */
export async function verify(
  deps: VerifyDeps,
  { onProgress = () => {} }: VerifyOptions = {},
): Promise<Verification> {
  const { postgres, clickhouse, log } = deps
  let interactions = 0n
  for (const { first, end } of await log.ranges(TOPICS.interactions)) interactions += end - first
  const sinceMs = (Math.floor(deps.clock() / DAY_MS) - COMPARED_DAYS) * DAY_MS
  const total = (await recordsToCount(log)) + Number(interactions)
  let done = 0
  const onRecords = (records: number) => {
    done += records
    onProgress(Math.min(done, total), total)
  }
  onProgress(0, total)
  const checks = [
    await ledgerSumZero(postgres),
    await chargesEqualLedger(postgres),
    await chargesEqualReport(postgres, clickhouse, sinceMs),
    await billableEqualCharges(deps, onRecords),
    await eventsStoredOnce(deps, onRecords),
    await budgetsRespected(postgres),
    await walletsNotNegative(postgres),
    await spendCountersEqualCharges(postgres),
    await rollupEqualsRaw(clickhouse, sinceMs),
  ]
  onProgress(total, total)
  return { ok: checks.every((check) => check.ok), checks }
}

async function ledgerSumZero(postgres: Postgres): Promise<Check> {
  const sums = await ledgerSums(postgres)
  const offBalance = sums.filter(({ sumMicros }) => sumMicros !== 0n)
  const unbalanced = await unbalancedTransactions(postgres)
  const left = offBalance.map((sum) => `${sum.currency} ${formatMoney(sum.sumMicros)}`).join(', ') || '0'
  return {
    name: 'ledger_sum_zero',
    left: unbalanced === 0 ? left : `${left} (${unbalanced} transactions don't balance)`,
    right: '0',
    ok: offBalance.length === 0 && unbalanced === 0,
  }
}

async function chargesEqualLedger(postgres: Postgres): Promise<Check> {
  const left = printMoney(await chargedByCurrency(postgres))
  const right = printMoney(await revenueByCurrency(postgres))
  const unlike = await chargesUnlikeTheirEntries(postgres)
  return {
    name: 'charges_equal_ledger',
    left: unlike === 0 ? left : `${left} (${unlike} charges unlike their entries)`,
    right,
    ok: left === right && unlike === 0,
  }
}

async function chargesEqualReport(
  postgres: Postgres,
  clickhouse: ClickHouse,
  sinceMs: number,
): Promise<Check> {
  const charges = await chargedByCurrency(postgres, new Date(sinceMs))
  const reported = await clickhouse.query(chargesSince, { sinceMs })
  const [rollup] = await clickhouse.query(minuteTotals, { sinceMs })
  const print = (rows: readonly ChargeTotals[], spendMicros: Micros) => {
    const count = (what: 'charged' | 'verdicts') => rows.reduce((total, row) => total + row[what], 0)
    return `${printMoney(rows)} in ${count('charged')} charges of ${count('verdicts')} verdicts, spend ${formatMoney(spendMicros)}`
  }
  const left = print(charges, sumMicros(charges.map(({ micros }) => micros)))
  const right = print(reported, rollup!.spendMicros)
  return { name: 'charges_equal_report', left, right, ok: left === right }
}

async function billableEqualCharges(deps: VerifyDeps, onRecords: (records: number) => void): Promise<Check> {
  const { inLog, inCharges, waitingInLog, waitingInBilling, complete } = await recountBillable(
    deps,
    onRecords,
  )
  const print = (count: number, waiting: number) =>
    waiting === 0 ? String(count) : `${count} (${waiting} clicks wait for their impression)`
  return {
    name: 'billable_equal_charges',
    left: `${complete ? '' : 'at least '}${print(inLog, waitingInLog)}`,
    right: print(inCharges, waitingInBilling),
    ok: complete ? inLog === inCharges && waitingInLog === waitingInBilling : inLog <= inCharges,
  }
}

async function eventsStoredOnce(deps: VerifyDeps, onRecords: (records: number) => void): Promise<Check> {
  const counts = await countEvents(deps, onRecords)
  return {
    name: 'events_stored_once',
    left: counts
      .map(({ name, inLog, complete }) => `${name} ${complete ? '' : 'at least '}${inLog}`)
      .join(', '),
    right: counts
      .map(({ name, ids, rows, distinctRows }) =>
        rows === distinctRows ? `${name} ${ids}` : `${name} ${ids} (${rows - distinctRows} rows doubled)`,
      )
      .join(', '),
    ok: counts.every(
      ({ inLog, ids, rows, distinctRows, complete }) =>
        rows === distinctRows && (complete ? ids === inLog : ids >= inLog),
    ),
  }
}

async function budgetsRespected(postgres: Postgres): Promise<Check> {
  const { overMicros } = await budgetExcess(postgres)
  return { name: 'budgets_respected', left: formatMoney(overMicros), right: '0', ok: overMicros === 0n }
}

async function walletsNotNegative(postgres: Postgres): Promise<Check> {
  const wrong = (await negativeWallets(postgres)) + (await walletsThatDisagree(postgres)).length
  return { name: 'wallets_not_negative', left: String(wrong), right: '0', ok: wrong === 0 }
}

async function spendCountersEqualCharges(postgres: Postgres): Promise<Check> {
  const { countersMicros, chargesMicros, differing } = await compareCounters(postgres)
  const left = formatMoney(countersMicros)
  return {
    name: 'spend_counters_equal_charges',
    left: differing === 0 ? left : `${left} (${differing} counters differ)`,
    right: formatMoney(chargesMicros),
    ok: differing === 0 && countersMicros === chargesMicros,
  }
}

async function rollupEqualsRaw(clickhouse: ClickHouse, sinceMs: number): Promise<Check> {
  const [raw] = await clickhouse.query(rawTotals, { sinceMs })
  const [minute] = await clickhouse.query(minuteTotals, { sinceMs })
  const [day] = await clickhouse.query(dayTotals, { sinceMs })
  const [byMinute, byDay, right] = [printTotals(minute!), printTotals(day!), printTotals(raw!)]
  return {
    name: 'rollup_equals_raw',
    left: byMinute === byDay ? byMinute : `by minute: ${byMinute}; by day: ${byDay}`,
    right,
    ok: byMinute === right && byDay === right,
  }
}

const printTotals = (totals: PerformanceTotals): string =>
  `impressions ${totals.impressions}, viewable ${totals.viewableImpressions}, clicks ${totals.clicks}, ` +
  `invalid ${totals.invalidImpressions} + ${totals.invalidClicks}, spend ${formatMoney(totals.spendMicros)}`

const printMoney = (amounts: readonly MoneyByCurrency[]): string =>
  amounts
    .filter(({ micros }) => micros !== 0n)
    .map(({ currency, micros }) => `${currency} ${formatMoney(micros)}`)
    .join(', ') || '0'
