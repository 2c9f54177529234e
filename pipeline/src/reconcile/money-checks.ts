import { formatMoney } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'
import { ledgerSums, walletsThatDisagree } from '@endcap/storage/postgres'
import { type Check, checkOf } from './check.js'
import type { PrintAmounts } from './print-amounts.js'
import {
  budgetExcess,
  chargedByCurrency,
  chargesBesideEntries,
  compareCounters,
  depositsBesideEntries,
  negativeWallets,
  revenueByCurrency,
  unbalancedTransactions,
} from './store/money-checks.js'

/** What Postgres says about itself. `q` must read one snapshot, or a charge booked meanwhile would be on one side only. */
export async function checkMoney(q: Queryable, print: PrintAmounts): Promise<readonly Check[]> {
  return [
    await ledgerSumZero(q),
    await chargesEqualLedger(q),
    await ledgerPerCharge(q),
    await ledgerPerDeposit(q),
    await budgetsRespected(q, print),
    await walletsNotNegative(q),
    await walletsEqualEntries(q, print),
    await spendCountersEqualCharges(q, print),
  ]
}

async function ledgerSumZero(q: Queryable): Promise<Check> {
  const sums = (await ledgerSums(q)).filter(({ sumMicros }) => sumMicros !== 0n)
  const left = sums.map((sum) => `${sum.currency} ${formatMoney(sum.sumMicros)}`).join(', ') || '0'
  return checkOf('ledger_sum_zero', left, '0', await unbalancedTransactions(q))
}

async function chargesEqualLedger(q: Queryable): Promise<Check> {
  const print = (amounts: Awaited<ReturnType<typeof chargedByCurrency>>) =>
    amounts
      .filter(({ micros, clawedBackMicros }) => micros !== 0n || clawedBackMicros !== 0n)
      .map(
        ({ currency, micros, clawedBackMicros: back }) =>
          `${currency} ${formatMoney(micros)}${back === 0n ? '' : ` (${formatMoney(back)} given back)`}`,
      )
      .join(', ') || '0'
  return checkOf(
    'charges_equal_ledger',
    print(await chargedByCurrency(q)),
    print(await revenueByCurrency(q)),
    [],
  )
}

async function ledgerPerCharge(q: Queryable): Promise<Check> {
  const { moved, posted, unlike } = await chargesBesideEntries(q)
  return checkOf('ledger_per_charge', `${moved} charges`, `${posted} charges`, unlike)
}

async function ledgerPerDeposit(q: Queryable): Promise<Check> {
  const { moved, posted, unlike } = await depositsBesideEntries(q)
  return checkOf('ledger_per_deposit', `${moved} deposits`, `${posted} deposits`, unlike)
}

async function budgetsRespected(q: Queryable, print: PrintAmounts): Promise<Check> {
  const { excess, over } = await budgetExcess(q)
  return checkOf('budgets_respected', print(excess), '0', over)
}

async function walletsNotNegative(q: Queryable): Promise<Check> {
  const negative = await negativeWallets(q)
  return checkOf('wallets_not_negative', String(negative.length), '0', negative)
}

async function walletsEqualEntries(q: Queryable, print: PrintAmounts): Promise<Check> {
  const wrong = await walletsThatDisagree(q)
  const off = wrong.map(({ currency, balanceMicros, entriesMicros }) => ({
    currency,
    micros: balanceMicros - entriesMicros,
  }))
  return checkOf(
    'wallets_equal_entries',
    print(off),
    '0',
    wrong.map(
      ({ accountId, balanceMicros, entriesMicros }) =>
        `${accountId} holds ${formatMoney(balanceMicros)}, its entries ${formatMoney(entriesMicros)}`,
    ),
  )
}

async function spendCountersEqualCharges(q: Queryable, print: PrintAmounts): Promise<Check> {
  const { counters, charges, differing } = await compareCounters(q)
  return checkOf('spend_counters_equal_charges', print(counters), print(charges), differing)
}
