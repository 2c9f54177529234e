import type { CampaignState, Micros, Pricing } from '@endcap/contracts'
import type { Postgres, Queryable } from '@endcap/platform/postgres'
import type { PacingState } from '../domain/controller.js'

/** An active campaign with all that pacing needs to know of it. */
export interface PacedCampaign {
  readonly id: string
  readonly version: number
  readonly pricing: Pricing
  readonly bidMicros: Micros
  readonly pacing: CampaignState['pacing']
  readonly budgetDailyMicros: Micros | null
  readonly budgetWeeklyMicros: Micros | null
  readonly budgetMonthlyMicros: Micros | null
  readonly budgetTotalMicros: Micros | null
  readonly startsAt: Date | null
  readonly endsAt: Date | null
  readonly dayparts: CampaignState['dayparts']
  readonly placements: readonly string[]
  /** The campaign's own, of its dayparts; null: the merchant's. */
  readonly timeZone: string | null
  /** The merchant's: of its budget days. */
  readonly merchantZone: string
  readonly walletMicros: Micros
  /** Where the controller was; undefined before its first step. */
  readonly state: PacingState | undefined
}

/** A row of `pacing_states`. `allowanceMicros` null: the campaign is not paced. */
export interface StoredPacing extends Omit<PacingState, 'allowanceMicros'> {
  readonly campaignId: string
  readonly share: number
  readonly allowanceMicros: Micros | null
}

interface CampaignRow extends Omit<PacedCampaign, 'state'> {
  readonly day: string | null
  readonly allowanceMicros: Micros | null
  readonly originShare: number
  readonly originSpentMicros: Micros
  readonly multiplier: number
  readonly passThrough: number
  readonly positionMicros: Micros
  readonly rateMicrosPerSecond: number
  readonly steppedAt: Date
}

export async function activeCampaigns(q: Queryable): Promise<readonly PacedCampaign[]> {
  const { rows } = await q.query<CampaignRow>(
    `select c.id, c.version, c.pricing, c.bid_micros as "bidMicros", c.pacing,
       c.budget_daily_micros as "budgetDailyMicros", c.budget_weekly_micros as "budgetWeeklyMicros",
       c.budget_monthly_micros as "budgetMonthlyMicros", c.budget_total_micros as "budgetTotalMicros",
       c.starts_at as "startsAt", c.ends_at as "endsAt", c.dayparts, c.placements, c.time_zone as "timeZone",
       m.time_zone as "merchantZone", coalesce(w.balance_micros, 0) as "walletMicros",
       s.day, s.allowance_micros as "allowanceMicros", s.origin_share as "originShare",
       s.origin_spent_micros as "originSpentMicros", s.multiplier, s.pass_through as "passThrough",
       s.position_micros as "positionMicros", s.rate_micros_per_second as "rateMicrosPerSecond", s.stepped_at as "steppedAt"
     from campaigns c
       join merchants m on m.id = c.merchant_id
       left join ledger_accounts w on w.kind = 'wallet' and w.merchant_id = m.id and w.currency = m.currency
       left join pacing_states s on s.campaign_id = c.id
     where c.status = 'active'`,
  )
  return rows.map((row) => ({ ...row, state: stateOf(row) }))
}

function stateOf(row: CampaignRow): PacingState | undefined {
  if (row.day === null || row.allowanceMicros === null) return undefined
  return {
    day: row.day,
    allowanceMicros: row.allowanceMicros,
    originShare: row.originShare,
    originSpentMicros: row.originSpentMicros,
    multiplier: row.multiplier,
    passThrough: row.passThrough,
    positionMicros: row.positionMicros,
    rateMicrosPerSecond: row.rateMicrosPerSecond,
    steppedAtMs: row.steppedAt.getTime(),
  }
}

/** Spend of all active campaigns by period: 'total', a budget day, week or month. */
export async function activeSpend(
  q: Queryable,
  periods: readonly string[],
): Promise<(campaignId: string, period: string) => Micros> {
  const { rows } = await q.query<{ campaignId: string; period: string; spentMicros: Micros }>(
    `select s.campaign_id as "campaignId", s.period, s.spent_micros as "spentMicros"
     from spend_counters s join campaigns c on c.id = s.campaign_id
     where c.status = 'active' and s.period = any ($1)`,
    [periods],
  )
  const spend = new Map(rows.map((row) => [`${row.period}/${row.campaignId}`, row.spentMicros]))
  return (campaignId, period) => spend.get(`${period}/${campaignId}`) ?? 0n
}

/** Overwrites the states of these campaigns. */
export async function writeStates(postgres: Postgres, states: readonly StoredPacing[]): Promise<void> {
  if (states.length === 0) return
  await postgres.query(
    `insert into pacing_states (campaign_id, day, share, allowance_micros, origin_share, origin_spent_micros, multiplier,
       pass_through, position_micros, rate_micros_per_second, stepped_at)
     select * from unnest($1::text[], $2::date[], $3::float8[], $4::bigint[], $5::float8[], $6::bigint[], $7::float8[],
       $8::float8[], $9::bigint[], $10::float8[], $11::timestamptz[])
     on conflict (campaign_id) do update set day = excluded.day, share = excluded.share,
       allowance_micros = excluded.allowance_micros, origin_share = excluded.origin_share,
       origin_spent_micros = excluded.origin_spent_micros, multiplier = excluded.multiplier,
       pass_through = excluded.pass_through, position_micros = excluded.position_micros,
       rate_micros_per_second = excluded.rate_micros_per_second, stepped_at = excluded.stepped_at`,
    [
      states.map(({ campaignId }) => campaignId),
      states.map(({ day }) => day),
      states.map(({ share }) => share),
      states.map(({ allowanceMicros }) => allowanceMicros),
      states.map(({ originShare }) => originShare),
      states.map(({ originSpentMicros }) => originSpentMicros),
      states.map(({ multiplier }) => multiplier),
      states.map(({ passThrough }) => passThrough),
      states.map(({ positionMicros }) => positionMicros),
      states.map(({ rateMicrosPerSecond }) => rateMicrosPerSecond),
      states.map(({ steppedAtMs }) => new Date(steppedAtMs)),
    ],
  )
}

/** What was given away because a limit was used up, by currency, judged since an instant. */
export async function overDelivered(
  q: Queryable,
  since: Date,
): Promise<readonly { readonly currency: string; readonly micros: Micros }[]> {
  const { rows } = await q.query<{ currency: string; micros: Micros }>(
    `select currency, sum(price_micros)::bigint as micros from charges
     where left(reason, 5) = 'over_' and created_at >= $1 group by currency`,
    [since],
  )
  return rows
}
