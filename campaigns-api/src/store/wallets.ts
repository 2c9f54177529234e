import type { Micros } from '@endcap/contracts'
import type { Queryable, Transaction } from '@endcap/platform/postgres'
import type { DepositRecord } from '../domain/deposit.js'

/** What the merchant's campaigns were billed on a budget day ('YYYY-MM-DD' in the merchant's time zone). */
export async function spentOnDay(db: Queryable, merchantId: string, day: string): Promise<Micros> {
  const { rows } = await db.query<{ spentMicros: bigint }>(
    `select coalesce(sum(counter.spent_micros), 0)::bigint as "spentMicros"
     from campaigns campaign join spend_counters counter on counter.campaign_id = campaign.id and counter.period = $2
     where campaign.merchant_id = $1`,
    [merchantId, day],
  )
  return rows[0]!.spentMicros
}

export async function insertDeposit(tx: Transaction, deposit: DepositRecord): Promise<void> {
  await tx.query(
    `insert into deposits (id, merchant_id, amount_micros, currency, reference, created_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      deposit.id,
      deposit.merchantId,
      deposit.amountMicros,
      deposit.currency,
      deposit.reference,
      deposit.createdAt,
    ],
  )
}

/** A page of a merchant's movements of money, newest first; `after` is the last id of the page before. */
export interface MovementsPage {
  readonly merchantId: string
  readonly after: string | undefined
  readonly limit: number
}

async function listMovements<Row extends object>(
  db: Queryable,
  columns: string,
  table: 'deposits' | 'refunds' | 'credits',
  page: MovementsPage,
): Promise<readonly Row[]> {
  const { rows } = await db.query<Row>(
    `select id, merchant_id as "merchantId", amount_micros as "amountMicros", currency, ${columns}, created_at as "createdAt"
     from ${table} where merchant_id = $1 and ($2::text is null or id < $2)
     order by id desc limit $3`,
    [page.merchantId, page.after ?? null, page.limit],
  )
  return rows
}

export const listDeposits = (db: Queryable, page: MovementsPage): Promise<readonly DepositRecord[]> =>
  listMovements(db, 'reference', 'deposits', page)

/** A row of `refunds`: money paid back out of a wallet. */
export type RefundRecord = DepositRecord

export async function insertRefund(tx: Transaction, refund: RefundRecord): Promise<void> {
  await tx.query(
    `insert into refunds (id, merchant_id, amount_micros, currency, reference, created_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [refund.id, refund.merchantId, refund.amountMicros, refund.currency, refund.reference, refund.createdAt],
  )
}

export const listRefunds = (db: Queryable, page: MovementsPage): Promise<readonly RefundRecord[]> =>
  listMovements(db, 'reference', 'refunds', page)

/** A row of `credits`: goodwill that the platform pays. */
export interface CreditRecord extends Omit<DepositRecord, 'reference'> {
  readonly reason: string
}

export async function insertCredit(tx: Transaction, credit: CreditRecord): Promise<void> {
  await tx.query(
    `insert into credits (id, merchant_id, amount_micros, currency, reason, created_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [credit.id, credit.merchantId, credit.amountMicros, credit.currency, credit.reason, credit.createdAt],
  )
}

export const listCredits = (db: Queryable, page: MovementsPage): Promise<readonly CreditRecord[]> =>
  listMovements(db, 'reason', 'credits', page)
