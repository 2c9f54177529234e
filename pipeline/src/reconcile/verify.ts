import { setTimeout as delay } from 'node:timers/promises'
import { type Clock, TOPICS, type TokenKey } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { EventLog } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { BILLING_CONSUMER } from '../billing/bill-records.js'
import { INGESTED_TOPICS } from '../ingest/plans.js'
import { checkAttributions } from './attribution-checks.js'
import {
  billedPeriod,
  checkChargesEqualReport,
  checkChargesInClickHouse,
  checkChargesOncePerInteraction,
} from './charge-checks.js'
import type { Check } from './check.js'
import { checkEvents } from './event-checks.js'
import { checkMoney } from './money-checks.js'
import { amountsPrinter } from './print-amounts.js'
import { checkBillable } from './recount-billable.js'
import { checkRollups } from './rollup-checks.js'
import { type Scope, takeScope } from './scope.js'
import { billingProgress, chargesByHour, merchantCurrencies } from './store/money-checks.js'

export interface VerifyDeps {
  readonly postgres: Postgres
  readonly clickhouse: ClickHouse
  readonly log: EventLog
  /** The keys that the log's tokens were sealed with, old ones too: what another key sealed can't be recounted. */
  readonly tokenKeys: readonly TokenKey[]
  readonly clock: Clock
}

export interface VerifyOptions {
  /**
   * Nothing is on its way (see `waitUntilSettled`): everything is compared. false: while traffic flows, what is not known to have arrived
   * everywhere is left out. Default true.
   */
  readonly settled?: boolean
  /** Compare the stores for so many hours back only. Default: everything, up to a year. */
  readonly lastHours?: number
  /** How long the next run of attribution may take to credit what was stored after the last one. Default 20 s. */
  readonly attributionWithinMs?: number
  /** Records of the log read so far, of all. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface Verification {
  readonly ok: boolean
  readonly checks: readonly Check[]
}

/** How long an hour that is receiving events is asked again, and after which pauses. */
const LATE_EVENTS_MS = 3_000
const PAUSE_MS = 500
const SNAPSHOT_TIMEOUT = '10min'

/**
 * Recounts everything from the log, Postgres and ClickHouse: each pair must agree. A check that fails names what differs. Where the log's
 * retention has removed its beginning, what the log holds can only be a part of what is stored.
 */
export async function verify(deps: VerifyDeps, options: VerifyOptions = {}): Promise<Verification> {
  const { settled = true, lastHours, attributionWithinMs = 20_000, onProgress = () => {} } = options
  const { clickhouse } = deps
  const lateMs = settled ? 0 : LATE_EVENTS_MS
  const scope = await takeScope(deps, { settled, lastHours })
  const { money, charges, billed, print } = await readBooks(deps.postgres, scope)
  const counted = await startCounting(deps.log, scope, onProgress)
  const events = await checkEvents(deps, scope, counted.read)
  const found = [
    ...money,
    await agreedWithin(lateMs, () => checkChargesEqualReport(deps, scope, print)),
    await checkChargesInClickHouse(deps, scope, charges),
    await checkChargesOncePerInteraction(clickhouse, scope),
    await checkBillable(deps, scope, billed, counted.read),
    ...events,
    await agreedWithin(attributionWithinMs, () => checkAttributions(clickhouse, scope)),
    await agreedWithin(lateMs, () => checkRollups(deps, scope, print)),
  ]
  counted.end()
  const checks = [...found].sort((a, b) => CHECKS.indexOf(a.name) - CHECKS.indexOf(b.name))
  return { ok: checks.every((check) => check.ok), checks }
}

/** Every check, in the order in which they are printed. */
export const CHECKS: readonly string[] = [
  'ledger_sum_zero',
  'charges_equal_ledger',
  'ledger_per_charge',
  'ledger_per_deposit',
  'charges_equal_report',
  'charges_in_clickhouse',
  'charges_once_per_interaction',
  'billable_equal_charges',
  'events_stored_once',
  'clickhouse_hours_complete',
  'amounts_equal_log',
  'attributions_equal_orders',
  'budgets_respected',
  'wallets_not_negative',
  'wallets_equal_entries',
  'spend_counters_equal_charges',
  'rollup_equals_raw',
]

/** What Postgres holds, of one instant: whatever is booked meanwhile is in all of it or in none. */
const readBooks = (postgres: Postgres, scope: Scope) =>
  postgres.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read')
    await tx.query(`set local statement_timeout = '${SNAPSHOT_TIMEOUT}'`)
    const print = amountsPrinter(await merchantCurrencies(tx))
    return {
      print,
      money: await checkMoney(tx, print),
      charges: await chargesByHour(tx, billedPeriod(scope)),
      billed: await billingProgress(tx, BILLING_CONSUMER, TOPICS.interactions),
    }
  })

/** A check of what may still be on its way: it holds if it ever does within this time. */
async function agreedWithin(patienceMs: number, check: () => Promise<Check>): Promise<Check> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const result = await check()
    if (result.ok || performance.now() >= deadline) return result
    await delay(PAUSE_MS)
  }
}

/** Tells how many records have been read, of all that will be: interactions are read twice. */
async function startCounting(
  log: EventLog,
  scope: Scope,
  onProgress: (done: number, total: number) => void,
): Promise<{ read(records: number): void; end(): void }> {
  let total = 0
  for (const topic of INGESTED_TOPICS) {
    for (const { partition, first, end } of await log.ranges(topic)) {
      const records = Number(end - (await scope.firstOf(topic, partition, first)))
      total += topic === TOPICS.interactions ? 2 * records : records
    }
  }
  let done = 0
  onProgress(0, total)
  return {
    read(records) {
      done += records
      onProgress(Math.min(done, total), total)
    },
    end: () => onProgress(total, total),
  }
}
