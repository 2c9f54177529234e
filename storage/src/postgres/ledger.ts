import { type Micros, sumMicros } from '@endcap/contracts'
import type { Queryable, Transaction } from '@endcap/platform/postgres'
import { bigintArray, sqlState, textArray, timestampArray } from '@endcap/platform/postgres'

type LedgerAccountKind =
  | 'wallet'
  | 'revenue'
  | 'cash'
  | 'refunds'
  | 'marketing'
  | 'coupon_subsidy'
  | 'cashback_payable'
type LedgerEntryKind = 'deposit' | 'charge' | 'refund' | 'credit' | 'clawback'

/** A wallet belongs to a merchant; every other account is the platform's, one per currency. */
export interface LedgerAccount {
  readonly kind: LedgerAccountKind
  /** Of wallets, and of wallets only. */
  readonly merchantId?: string
  readonly currency: string
}

interface LedgerPosting {
  readonly account: LedgerAccount
  /** Positive: the account gains; never 0. */
  readonly amountMicros: Micros
}

/** Entries that move money together; they sum to zero. */
export interface LedgerTransaction {
  /** Unique for ever: posting it again changes nothing. */
  readonly transactionId: string
  readonly kind: LedgerEntryKind
  readonly currency: string
  readonly occurredAt: Date
  readonly reference: string
  readonly entries: readonly LedgerPosting[]
}

/** The posting contradicts itself or what was posted before. Nothing of it may be committed. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError'
}

/** A wallet would fall below zero. The database refuses it, whatever the code above thought. */
export class WalletOverdrawnError extends LedgerError {}

export function ledgerAccountId(account: LedgerAccount): string {
  if (account.kind !== 'wallet') return `${account.kind}:${account.currency}`
  if (!account.merchantId) throw new LedgerError('a wallet needs its merchant')
  return `wallet:${account.merchantId}`
}

/** Creates the accounts that don't exist yet, with balance 0. */
export async function ensureAccounts(
  tx: Queryable,
  accounts: readonly LedgerAccount[],
  now: Date,
): Promise<void> {
  const byId = new Map(accounts.map((account) => [ledgerAccountId(account), account]))
  // In the order of ids, so that two of these never wait for each other crosswise.
  const ids = [...byId.keys()].sort()
  if (ids.length === 0) return
  await tx.query(
    `insert into ledger_accounts (id, kind, merchant_id, currency, updated_at)
     select id, kind, merchant_id, currency, $5
     from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as account (id, kind, merchant_id, currency)
     on conflict (id) do nothing`,
    [
      ids,
      ids.map((id) => byId.get(id)!.kind),
      ids.map((id) => (byId.get(id)!.kind === 'wallet' ? byId.get(id)!.merchantId : null)),
      ids.map((id) => byId.get(id)!.currency),
      now,
    ],
  )
}

/**
 * Posts transactions: writes their entries and moves the wallets' balances in the same statement, so that one never happens
 * without the other. Missing accounts are created. A transaction that was posted before changes nothing.
 *
 * @returns the ids of the transactions that were new
 * @throws LedgerError when a transaction doesn't sum to zero, mixes currencies, or differs from what was posted under its id;
 *   WalletOverdrawnError when a wallet would fall below zero. The caller's transaction must then roll back.
 */
export async function postLedger(
  tx: Transaction,
  transactions: readonly LedgerTransaction[],
  now: Date,
): Promise<ReadonlySet<string>> {
  const rows = entryRows(transactions)
  if (rows.length === 0) return new Set()
  await prepareAccounts(tx, transactions, rows, now)
  const inserted = await insertEntries(tx, rows, now)
  if (inserted.size < rows.length) await assertPostedBefore(tx, rows, inserted)
  return new Set(rows.filter((row) => inserted.has(row.idempotencyKey)).map((row) => row.transactionId))
}

/**
 * Posts transactions whose ids were made for them, so that none of them can have been posted before: half the cost of `postLedger`, because
 * nobody looks whether they were. One that was fails the caller's transaction all the same, by its idempotency key.
 *
 * @throws LedgerError and WalletOverdrawnError as `postLedger`
 */
export async function postNewLedger(
  tx: Transaction,
  transactions: readonly LedgerTransaction[],
  now: Date,
): Promise<void> {
  const rows = entryRows(transactions)
  if (rows.length === 0) return
  await prepareAccounts(tx, transactions, rows, now)
  const moved = new Map<string, Micros>()
  for (const { accountId, amountMicros } of rows) {
    moved.set(accountId, (moved.get(accountId) ?? 0n) + amountMicros)
  }
  await overdrawnAsSuch(() =>
    tx.query(
      `with written as (
         insert into ledger_entries
           (transaction_id, idempotency_key, kind, account_id, amount_micros, currency, reference, occurred_at, created_at)
         select entry.*, $9 from ${UNNESTED_ENTRIES} as entry
       )
       update ledger_accounts
       set balance_micros = balance_micros + change.amount_micros, updated_at = $9
       from unnest($10::text[], $11::bigint[]) as change (account_id, amount_micros)
       where id = change.account_id and kind = 'wallet'`,
      [...entryArrays(rows), now, textArray([...moved.keys()]), bigintArray([...moved.values()])],
    ),
  )
}

/** Creates the accounts that are missing, locks the wallets and sees that they hold the currency that is posted to them. */
async function prepareAccounts(
  tx: Transaction,
  transactions: readonly LedgerTransaction[],
  rows: readonly EntryRow[],
  now: Date,
): Promise<void> {
  await ensureAccounts(
    tx,
    transactions.flatMap((transaction) => transaction.entries.map((entry) => entry.account)),
    now,
  )
  // Wallets are locked in the order of ids: two batches over the same wallets wait, they don't deadlock.
  const { rows: accounts } = await tx.query<{ id: string; currency: string }>(
    'select id, currency from ledger_accounts where id = any ($1) and kind = $2 order by id for update',
    [[...new Set(rows.map((row) => row.accountId))], 'wallet'],
  )
  const walletCurrency = new Map(accounts.map((account) => [account.id, account.currency]))
  for (const row of rows) {
    const currency = walletCurrency.get(row.accountId)
    if (currency !== undefined && currency !== row.currency) {
      throw new LedgerError(
        `${row.transactionId} posts ${row.currency} to ${row.accountId}, which holds ${currency}`,
      )
    }
  }
}

interface EntryRow {
  readonly transactionId: string
  readonly idempotencyKey: string
  readonly kind: LedgerEntryKind
  readonly accountId: string
  readonly amountMicros: Micros
  readonly currency: string
  readonly reference: string
  readonly occurredAt: Date
}

function entryRows(transactions: readonly LedgerTransaction[]): readonly EntryRow[] {
  const seen = new Set<string>()
  return transactions.flatMap((transaction) => {
    const { transactionId, currency, entries } = transaction
    if (seen.has(transactionId)) throw new LedgerError(`${transactionId} stands twice in one posting`)
    seen.add(transactionId)
    if (entries.length === 0) throw new LedgerError(`${transactionId} has no entries`)
    const sum = sumMicros(entries.map((entry) => entry.amountMicros))
    if (sum !== 0n) throw new LedgerError(`the entries of ${transactionId} sum to ${sum} micros, not to 0`)
    return entries.map(({ account, amountMicros }, index) => {
      if (amountMicros === 0n) throw new LedgerError(`${transactionId} has an entry of 0`)
      if (account.currency !== currency) {
        throw new LedgerError(
          `${transactionId} is in ${currency} but names an account in ${account.currency}`,
        )
      }
      return {
        transactionId,
        idempotencyKey: `${transactionId}:${index}`,
        kind: transaction.kind,
        accountId: ledgerAccountId(account),
        amountMicros,
        currency,
        reference: transaction.reference,
        occurredAt: transaction.occurredAt,
      }
    })
  })
}

const UNNESTED_ENTRIES = `unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[],
           $8::timestamptz[])`

const entryArrays = (rows: readonly EntryRow[]) => [
  textArray(rows.map((row) => row.transactionId)),
  textArray(rows.map((row) => row.idempotencyKey)),
  textArray(rows.map((row) => row.kind)),
  textArray(rows.map((row) => row.accountId)),
  bigintArray(rows.map((row) => row.amountMicros)),
  textArray(rows.map((row) => row.currency)),
  textArray(rows.map((row) => row.reference)),
  timestampArray(rows.map((row) => row.occurredAt.getTime())),
]

async function insertEntries(
  tx: Transaction,
  rows: readonly EntryRow[],
  now: Date,
): Promise<ReadonlySet<string>> {
  const { rows: answer } = await overdrawnAsSuch(() =>
    tx.query<{ inserted: bigint; keys: readonly string[] | null }>(
      `with written as (
         insert into ledger_entries
           (transaction_id, idempotency_key, kind, account_id, amount_micros, currency, reference, occurred_at, created_at)
         select entry.*, $9 from ${UNNESTED_ENTRIES} as entry
         on conflict (idempotency_key) do nothing
         returning idempotency_key, account_id, amount_micros
       ), moved as (
         update ledger_accounts
         set balance_micros = balance_micros + change.amount_micros, updated_at = $9
         from (select account_id, sum(amount_micros)::bigint as amount_micros from written group by account_id) as change
         where id = change.account_id and kind = 'wallet'
       )
       select count(*) as inserted, case when count(*) < $10 then array_agg(idempotency_key) end as keys from written`,
      [...entryArrays(rows), now, rows.length],
    ),
  )
  // Nearly always all are new: thousands of keys need not be sent back to say so.
  const { inserted, keys } = answer[0]!
  return new Set(Number(inserted) === rows.length ? rows.map((row) => row.idempotencyKey) : keys)
}

async function overdrawnAsSuch<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (error) {
    if (sqlState(error) !== CHECK_VIOLATION) throw error
    throw new WalletOverdrawnError('a wallet would fall below zero', { cause: error })
  }
}
const CHECK_VIOLATION = '23514'

/** What was not written must stand there already, entry by entry: half of a transaction would break the sum of zero. */
async function assertPostedBefore(
  tx: Transaction,
  rows: readonly EntryRow[],
  inserted: ReadonlySet<string>,
): Promise<void> {
  const repeated = new Map<string, EntryRow[]>()
  for (const row of rows) {
    if (inserted.has(row.idempotencyKey)) continue
    repeated.set(row.transactionId, [...(repeated.get(row.transactionId) ?? []), row])
  }
  const { rows: stored } = await tx.query<{
    transactionId: string
    idempotencyKey: string
    accountId: string
    amountMicros: bigint
    currency: string
  }>(
    `select transaction_id as "transactionId", idempotency_key as "idempotencyKey", account_id as "accountId",
       amount_micros as "amountMicros", currency
     from ledger_entries where transaction_id = any ($1)`,
    [[...repeated.keys()]],
  )
  const storedByKey = new Map(stored.map((row) => [row.idempotencyKey, row]))
  for (const [transactionId, again] of repeated) {
    const storedCount = stored.filter((row) => row.transactionId === transactionId).length
    const same = again.every((row) => {
      const before = storedByKey.get(row.idempotencyKey)
      return (
        before?.accountId === row.accountId &&
        before.amountMicros === row.amountMicros &&
        before.currency === row.currency
      )
    })
    if (!same || storedCount !== again.length) {
      throw new LedgerError(`${transactionId} was posted before with other entries`)
    }
  }
}

export interface WalletBalance {
  readonly merchantId: string
  readonly balanceMicros: Micros
  readonly currency: string
}

/**
 * The balances of wallets by merchant; a merchant without a wallet is missing.
 * `forUpdate` locks them, in the order of merchants, until the transaction ends.
 */
export async function walletBalances(
  q: Queryable,
  merchantIds: readonly string[],
  options: { readonly forUpdate?: boolean } = {},
): Promise<ReadonlyMap<string, WalletBalance>> {
  const { rows } = await q.query<WalletBalance>(
    `select merchant_id as "merchantId", balance_micros as "balanceMicros", currency
     from ledger_accounts where id = any ($1) order by id ${options.forUpdate ? 'for update' : ''}`,
    [merchantIds.map((merchantId) => ledgerAccountId({ kind: 'wallet', merchantId, currency: '' }))],
  )
  return new Map(rows.map((row) => [row.merchantId, row]))
}

/** The sum of all entries per currency: 0, always. */
export async function ledgerSums(
  q: Queryable,
): Promise<readonly { readonly currency: string; readonly sumMicros: Micros }[]> {
  const { rows } = await q.query<{ currency: string; sum: string }>(
    'select currency, sum(amount_micros)::text as sum from ledger_entries group by currency order by currency',
  )
  return rows.map((row) => ({ currency: row.currency, sumMicros: BigInt(row.sum) }))
}

/** Wallets whose balance is not the sum of their entries: none, always. */
export async function walletsThatDisagree(q: Queryable): Promise<
  readonly {
    readonly accountId: string
    readonly currency: string
    readonly balanceMicros: Micros
    readonly entriesMicros: Micros
  }[]
> {
  const { rows } = await q.query<{
    accountId: string
    currency: string
    balanceMicros: bigint
    entries: string
  }>(
    `select a.id as "accountId", a.currency, a.balance_micros as "balanceMicros", coalesce(sum(e.amount_micros), 0)::text as entries
     from ledger_accounts a left join ledger_entries e on e.account_id = a.id
     where a.kind = 'wallet'
     group by a.id having a.balance_micros <> coalesce(sum(e.amount_micros), 0) order by a.id`,
  )
  return rows.map((row) => ({
    accountId: row.accountId,
    currency: row.currency,
    balanceMicros: row.balanceMicros,
    entriesMicros: BigInt(row.entries),
  }))
}

export interface WalletEntry {
  readonly id: bigint
  readonly transactionId: string
  readonly kind: LedgerEntryKind
  readonly amountMicros: Micros
  readonly currency: string
  readonly reference: string
  readonly occurredAt: Date
  readonly createdAt: Date
}

/** A wallet's entries, newest first; `before` is the id of the last entry of the page before. */
export async function listWalletEntries(
  q: Queryable,
  merchantId: string,
  page: { readonly limit: number; readonly before?: bigint | undefined },
): Promise<readonly WalletEntry[]> {
  const { rows } = await q.query<WalletEntry>(
    `select id, transaction_id as "transactionId", kind, amount_micros as "amountMicros", currency, reference,
       occurred_at as "occurredAt", created_at as "createdAt"
     from ledger_entries
     where account_id = $1 and ($2::bigint is null or id < $2)
     order by id desc limit $3`,
    [ledgerAccountId({ kind: 'wallet', merchantId, currency: '' }), page.before ?? null, page.limit],
  )
  return rows
}
