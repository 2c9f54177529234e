import type { Micros } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'

/** Sums are NUMERIC, which arrives as text. */
const sum = (text: string): Micros => BigInt(text)

export interface MoneyByCurrency {
  readonly currency: string
  readonly micros: Micros
}

/** Ledger transactions whose entries don't sum to zero: none, always. */
export async function unbalancedTransactions(q: Queryable): Promise<number> {
  const { rows } = await q.query<{ n: bigint }>(
    `select count(*) as n from (
       select 1 from ledger_entries group by transaction_id, currency having sum(amount_micros) <> 0) as unbalanced`,
  )
  return Number(rows[0]!.n)
}

export interface ChargeTotals extends MoneyByCurrency {
  readonly verdicts: number
  readonly charged: number
}

/** What the charge rows say was charged, and how many verdicts there are, of interactions since an instant. */
export async function chargedByCurrency(q: Queryable, since = new Date(0)): Promise<readonly ChargeTotals[]> {
  const { rows } = await q.query<{ currency: string; micros: string; verdicts: bigint; charged: bigint }>(
    `select currency, sum(amount_micros)::text as micros, count(*) as verdicts,
       count(*) filter (where outcome = 'charged') as charged
     from charges where occurred_at >= $1 group by currency order by currency`,
    [since],
  )
  return rows.map((row) => ({
    currency: row.currency,
    micros: sum(row.micros),
    verdicts: Number(row.verdicts),
    charged: Number(row.charged),
  }))
}

/** What charges brought the platform by the ledger. */
export async function revenueByCurrency(q: Queryable): Promise<readonly MoneyByCurrency[]> {
  const { rows } = await q.query<{ currency: string; micros: string }>(
    `select e.currency, sum(e.amount_micros)::text as micros
     from ledger_entries e join ledger_accounts a on a.id = e.account_id
     where a.kind = 'revenue' and e.kind = 'charge' group by e.currency order by e.currency`,
  )
  return rows.map((row) => ({ currency: row.currency, micros: sum(row.micros) }))
}

/** Charges whose ledger entries are missing, doubled or of another amount or wallet: none, always. */
export async function chargesUnlikeTheirEntries(q: Queryable): Promise<number> {
  const { rows } = await q.query<{ n: bigint }>(
    `select count(*) as n from (
       select id, 'wallet:' || merchant_id as wallet, amount_micros from charges where amount_micros > 0) c
     full join (
       select e.transaction_id as id, e.account_id as wallet, -e.amount_micros as amount_micros
       from ledger_entries e join ledger_accounts a on a.id = e.account_id
       where e.kind = 'charge' and a.kind = 'wallet') l on l.id = c.id and l.wallet = c.wallet
     where c.amount_micros is distinct from l.amount_micros`,
  )
  return Number(rows[0]!.n)
}

/** Wallets below zero: none, always. */
export async function negativeWallets(q: Queryable): Promise<number> {
  const { rows } = await q.query<{ n: bigint }>(
    `select count(*) as n from ledger_accounts where kind = 'wallet' and balance_micros < 0`,
  )
  return Number(rows[0]!.n)
}

/** Each budget day's periods, as billing names them. */
const PERIODS = `(values ('total'), ('month:' || to_char(budget_day, 'YYYY-MM')),
         ('week:' || to_char(date_trunc('week', budget_day::timestamp), 'YYYY-MM-DD')), (budget_day::text)) as p (period)`

export interface CounterComparison {
  readonly countersMicros: Micros
  readonly chargesMicros: Micros
  /** Campaigns and periods where the two differ. */
  readonly differing: number
}

/** The spend counters beside the charges that they count, in total and by month, week and day. */
export async function compareCounters(q: Queryable): Promise<CounterComparison> {
  const { rows } = await q.query<{ counters: string; charges: string; differing: bigint }>(
    `with charged as (
       select campaign_id, period, sum(amount_micros) as micros
       from charges cross join lateral ${PERIODS}
       where outcome = 'charged' group by campaign_id, period)
     select coalesce(sum(s.spent_micros) filter (where period = 'total'), 0)::text as counters,
       coalesce(sum(c.micros) filter (where period = 'total'), 0)::text as charges,
       count(*) filter (where coalesce(s.spent_micros, 0) <> coalesce(c.micros, 0)) as differing
     from spend_counters s full join charged c using (campaign_id, period)`,
  )
  const { counters, charges, differing } = rows[0]!
  return { countersMicros: sum(counters), chargesMicros: sum(charges), differing: Number(differing) }
}

export interface BudgetExcess {
  /** Micros charged beyond a limit that was in force, over all campaigns, in total and by month, week and day. */
  readonly overMicros: Micros
  /** Campaigns and periods beyond their present limit that was set after what was spent: allowed. */
  readonly loweredSince: number
}

/**
 * What was charged beyond budgets. A limit may be lowered below what is spent already: an excess counts only when something was
 * charged after the campaign's last change, that is, under its present limits. 5 s are left for a charge that was decided while
 * the change was being committed.
 */
export async function budgetExcess(q: Queryable): Promise<BudgetExcess> {
  const { rows } = await q.query<{ over: string; lowered: bigint }>(
    `with spent as (
       select campaign_id, period, sum(amount_micros) as micros, max(ch.created_at) as last_charge_at
       from charges ch cross join lateral ${PERIODS}
       where outcome = 'charged' and amount_micros > 0 group by campaign_id, period),
     beyond as (
       select micros - case when period = 'total' then budget_total_micros when period like 'month:%' then budget_monthly_micros
           when period like 'week:%' then budget_weekly_micros else budget_daily_micros end as excess,
         last_charge_at > c.updated_at + interval '5 seconds' as under_present_limit
       from spent join campaigns c on c.id = campaign_id)
     select coalesce(sum(excess) filter (where under_present_limit), 0)::text as over,
       count(*) filter (where not under_present_limit) as lowered
     from beyond where excess > 0`,
  )
  return { overMicros: sum(rows[0]!.over), loweredSince: Number(rows[0]!.lowered) }
}
