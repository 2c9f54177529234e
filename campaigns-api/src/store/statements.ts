import type { Micros } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'
import { ledgerAccountId } from '@endcap/storage/postgres'

/** Entries of a wallet that were booked in [from, to). */
export interface BookedPeriod {
  readonly merchantId: string
  readonly from: Date
  /** Exclusive. */
  readonly to: Date
}

const walletOf = (merchantId: string) => ledgerAccountId({ kind: 'wallet', merchantId, currency: '' })
const parameters = ({ merchantId, from, to }: BookedPeriod) => [walletOf(merchantId), from, to]
const IN_PERIOD = 'e.account_id = $1 and e.created_at >= $2 and e.created_at < $3'

/**
 * A wallet's balance before each of these instants, by its entries.
 * @param instants in order
 */
export async function balancesBefore(
  q: Queryable,
  merchantId: string,
  instants: readonly Date[],
): Promise<readonly Micros[]> {
  const { rows } = await q.query<{ bucket: number; micros: string }>(
    `select width_bucket(created_at, $2::timestamptz[]) as bucket, sum(amount_micros)::text as micros
     from ledger_entries where account_id = $1 group by bucket`,
    [walletOf(merchantId), instants],
  )
  const booked = new Map(rows.map(({ bucket, micros }) => [bucket, BigInt(micros)]))
  let balance = 0n
  return instants.map((_, index) => {
    balance += booked.get(index) ?? 0n
    return balance
  })
}

export interface CampaignEntries {
  /** '' when the charge is not known any more. */
  readonly campaignId: string
  readonly name: string
  readonly clicks: number
  readonly impressions: number
  /** What it added to the wallet. */
  readonly micros: Micros
}

/** The entries of charges, or of charges given back, by campaign. */
export async function entriesByCampaign(
  q: Queryable,
  kind: 'charge' | 'clawback',
  period: BookedPeriod,
): Promise<readonly CampaignEntries[]> {
  const { rows } = await q.query<{
    campaignId: string
    name: string
    clicks: bigint
    impressions: bigint
    micros: string
  }>(
    `select coalesce(c.campaign_id, '') as "campaignId", coalesce(max(p.name), '') as name,
       count(*) filter (where c.interaction_type = 'click') as clicks,
       count(*) filter (where c.interaction_type = 'impression') as impressions, sum(e.amount_micros)::text as micros
     from ledger_entries e
     left join charges c on c.id = ${kind === 'charge' ? 'e.transaction_id' : 'e.reference'}
     left join campaigns p on p.id = c.campaign_id
     where ${IN_PERIOD} and e.kind = $4
     group by coalesce(c.campaign_id, '') order by coalesce(c.campaign_id, '')`,
    [...parameters(period), kind],
  )
  return rows.map((row) => ({
    ...row,
    clicks: Number(row.clicks),
    impressions: Number(row.impressions),
    micros: BigInt(row.micros),
  }))
}

export interface MovementEntry {
  readonly kind: 'deposit' | 'refund' | 'credit'
  readonly id: string
  /** What was said about it: the reference of a deposit or refund, the reason of a credit. */
  readonly note: string
  readonly micros: Micros
  readonly bookedAt: Date
}

/** Deposits, refunds and credits, in the order of booking. */
export async function movementEntries(q: Queryable, period: BookedPeriod): Promise<readonly MovementEntry[]> {
  const { rows } = await q.query<MovementEntry>(
    `select e.kind, e.reference as id, coalesce(d.reference, r.reference, c.reason, '') as note,
       e.amount_micros as micros, e.created_at as "bookedAt"
     from ledger_entries e
     left join deposits d on e.kind = 'deposit' and d.id = e.reference
     left join refunds r on e.kind = 'refund' and r.id = e.reference
     left join credits c on e.kind = 'credit' and c.id = e.reference
     where ${IN_PERIOD} and e.kind in ('deposit', 'refund', 'credit') order by e.id`,
    parameters(period),
  )
  return rows
}
