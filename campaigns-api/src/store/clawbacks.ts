import type { ClawbackReason, Micros } from '@endcap/contracts'
import type { Queryable, Transaction } from '@endcap/platform/postgres'
import type { MadeCharge, SpendReduction } from '../domain/clawback.js'

const MADE_CHARGE = `select c.id, c.interaction_id as "interactionId", c.interaction_type as "interactionType",
    c.auction_id as "auctionId", c.position, c.merchant_id as "merchantId", c.campaign_id as "campaignId", c.ad_id as "adId",
    c.listing_id as "listingId", c.pricing, c.amount_micros as "amountMicros", c.currency, c.budget_day as "budgetDay",
    c.occurred_at as "occurredAt", b.charge_id is not null as "clawedBack"
  from charges c left join clawed_back_charges b on b.charge_id = c.id
  where c.outcome = 'charged'`

/** The charges of these ids that were made; verdicts that moved nothing are no charges to give back. */
export async function chargesById(q: Queryable, ids: readonly string[]): Promise<readonly MadeCharge[]> {
  return (await q.query<MadeCharge>(`${MADE_CHARGE} and c.id = any ($1) order by c.id`, [ids])).rows
}

export interface ChargeFilter {
  readonly campaignId: string | undefined
  /** undefined: any. */
  readonly interactionIds: readonly string[] | undefined
  readonly from: Date
  /** Exclusive. */
  readonly to: Date
  readonly limit: number
}

/** The charges of a campaign, of some interactions, or both, whose interaction occurred within a period. */
export async function chargesMatching(q: Queryable, filter: ChargeFilter): Promise<readonly MadeCharge[]> {
  const { rows } = await q.query<MadeCharge>(
    `${MADE_CHARGE} and c.occurred_at >= $3 and c.occurred_at < $4
       and ($1::text is null or c.campaign_id = $1) and ($2::text[] is null or c.interaction_id = any ($2))
     order by c.id limit $5`,
    [filter.campaignId ?? null, filter.interactionIds ?? null, filter.from, filter.to, filter.limit],
  )
  return rows
}

/** A row of `clawbacks`. */
export interface ClawbackRecord {
  readonly id: string
  readonly reason: ClawbackReason
  readonly requestedBy: string
  readonly createdAt: Date
}

/**
 * Writes the clawback with its charges. A charge that another clawback holds is left to it; one that is being given back right now is
 * waited for.
 * @returns the ids of the charges that are this clawback's
 */
export async function insertClawback(
  tx: Transaction,
  clawback: ClawbackRecord,
  charges: readonly MadeCharge[],
): Promise<ReadonlySet<string>> {
  await tx.query('insert into clawbacks (id, reason, requested_by, created_at) values ($1, $2, $3, $4)', [
    clawback.id,
    clawback.reason,
    clawback.requestedBy,
    clawback.createdAt,
  ])
  const { rows } = await tx.query<{ chargeId: string }>(
    `insert into clawed_back_charges
       (charge_id, clawback_id, campaign_id, budget_day, amount_micros, currency, occurred_at, created_at)
     select charge.id, $7, campaign_id, budget_day, amount_micros, currency, occurred_at, $8
     from unnest($1::text[], $2::text[], $3::date[], $4::bigint[], $5::text[], $6::timestamptz[])
       as charge (id, campaign_id, budget_day, amount_micros, currency, occurred_at)
     order by charge.id
     on conflict (charge_id) do nothing returning charge_id as "chargeId"`,
    [
      charges.map(({ id }) => id),
      charges.map(({ campaignId }) => campaignId),
      charges.map(({ budgetDay }) => budgetDay),
      charges.map(({ amountMicros }) => amountMicros),
      charges.map(({ currency }) => currency),
      charges.map(({ occurredAt }) => occurredAt),
      clawback.id,
      clawback.createdAt,
    ],
  )
  return new Set(rows.map(({ chargeId }) => chargeId))
}

/** What one clawback gave back to one merchant. */
export interface MerchantClawback {
  readonly id: string
  readonly reason: ClawbackReason
  readonly charges: number
  readonly amountMicros: Micros
  readonly currency: string
  readonly createdAt: Date
}

/** The clawbacks that gave a merchant something back, newest first, each with the merchant's part; `after` is the last id of the page before. */
export async function listClawbacks(
  q: Queryable,
  page: { readonly merchantId: string; readonly after: string | undefined; readonly limit: number },
): Promise<readonly MerchantClawback[]> {
  const { rows } = await q.query<
    Omit<MerchantClawback, 'charges' | 'amountMicros'> & { n: bigint; sum: string }
  >(
    `select b.id, b.reason, count(*) as n, sum(c.amount_micros)::text as sum, max(c.currency) as currency,
       b.created_at as "createdAt"
     from campaigns p join clawed_back_charges c on c.campaign_id = p.id join clawbacks b on b.id = c.clawback_id
     where p.merchant_id = $1 and ($2::text is null or b.id < $2)
     group by b.id order by b.id desc limit $3`,
    [page.merchantId, page.after ?? null, page.limit],
  )
  return rows.map(({ n, sum, ...row }) => ({ ...row, charges: Number(n), amountMicros: BigInt(sum) }))
}

/** Lowers spend counters, where they are kept. The caller holds the wallets of the campaigns' merchants, as billing does. */
export async function reduceSpend(
  tx: Transaction,
  reductions: readonly SpendReduction[],
  now: Date,
): Promise<void> {
  await tx.query(
    `update spend_counters s set spent_micros = s.spent_micros - less.micros, updated_at = $4
     from unnest($1::text[], $2::text[], $3::bigint[]) as less (campaign_id, period, micros)
     where s.campaign_id = less.campaign_id and s.period = less.period`,
    [
      reductions.map(({ campaignId }) => campaignId),
      reductions.map(({ period }) => period),
      reductions.map(({ micros }) => micros),
      now,
    ],
  )
}
