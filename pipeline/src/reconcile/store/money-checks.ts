import type { Micros } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'
import { HOUR_MS } from '../hours.js'
import { CHARGE_FACTS, CLAWBACK_FACTS } from './charge-facts.js'

/** Sums are NUMERIC, which arrives as text. */
const sum = (text: string): Micros => BigInt(text)

/** Names of what is wrong are cut off here: a check shows the first few. */
const MOST_WRONG = 1000

export interface MoneyByCurrency {
  readonly currency: string
  readonly micros: Micros
}

/** Stands for that of a merchant who is not known. */
export const UNKNOWN_CURRENCY = '???'

/** The currencies that merchants have. */
export async function merchantCurrencies(q: Queryable): Promise<readonly string[]> {
  const { rows } = await q.query<{ currency: string }>(
    'select distinct currency from merchants order by currency',
  )
  return rows.map(({ currency }) => currency)
}

/** Ledger transactions whose entries don't sum to zero: none, always. */
export async function unbalancedTransactions(q: Queryable): Promise<readonly string[]> {
  const { rows } = await q.query<{ id: string }>(
    `select transaction_id as id from ledger_entries
     group by transaction_id, currency having sum(amount_micros) <> 0 order by transaction_id limit $1`,
    [MOST_WRONG],
  )
  return rows.map(({ id }) => id)
}

/** What was charged and what of it was given back, by the charge rows. */
export async function chargedByCurrency(
  q: Queryable,
): Promise<readonly (MoneyByCurrency & { readonly clawedBackMicros: Micros })[]> {
  const { rows } = await q.query<{ currency: string; micros: string; clawedBack: string }>(
    `select currency, sum(micros)::text as micros, sum(clawed_back)::text as "clawedBack" from (
       select currency, amount_micros as micros, 0 as clawed_back from charges
       union all select currency, 0, amount_micros from clawed_back_charges) as moved
     group by currency order by currency`,
  )
  return rows.map(({ currency, micros, clawedBack }) => ({
    currency,
    micros: sum(micros),
    clawedBackMicros: sum(clawedBack),
  }))
}

/** What charges brought the platform, and what it gave back, by the ledger. */
export async function revenueByCurrency(
  q: Queryable,
): Promise<readonly (MoneyByCurrency & { readonly clawedBackMicros: Micros })[]> {
  const { rows } = await q.query<{ currency: string; micros: string; clawedBack: string }>(
    `select e.currency, coalesce(sum(e.amount_micros) filter (where a.kind = 'revenue'), 0)::text as micros,
       coalesce(-sum(e.amount_micros) filter (where a.kind = 'refunds'), 0)::text as "clawedBack"
     from ledger_entries e join ledger_accounts a on a.id = e.account_id
     where (a.kind = 'revenue' and e.kind = 'charge') or (a.kind = 'refunds' and e.kind = 'clawback')
     group by e.currency order by e.currency`,
  )
  return rows.map(({ currency, micros, clawedBack }) => ({
    currency,
    micros: sum(micros),
    clawedBackMicros: sum(clawedBack),
  }))
}

export interface ChargesBesideEntries {
  /** Charges, and charges given back, that moved money. */
  readonly moved: number
  /** Ledger transactions for them. */
  readonly posted: number
  /** Charges whose entries are missing, doubled, or of another amount, account or booking time. */
  readonly unlike: readonly string[]
}

/** Each charge, and each charge given back, beside its two ledger entries, which were booked in its instant: statements go by that. */
export async function chargesBesideEntries(q: Queryable): Promise<ChargesBesideEntries> {
  const { rows } = await q.query<{ moved: bigint; posted: bigint; unlike: string[] | null }>(
    `with moved as (
       select 'charge' as kind, id, merchant_id, currency, amount_micros, created_at from charges where amount_micros > 0
       union all
       select 'clawback', b.charge_id, c.merchant_id, b.currency, -b.amount_micros, b.created_at
       from clawed_back_charges b left join charges c on c.id = b.charge_id where b.amount_micros > 0),
     expected as (
       select kind, id, 'wallet:' || merchant_id as account, -amount_micros as micros, created_at from moved
       union all
       select kind, id, case kind when 'charge' then 'revenue:' else 'refunds:' end || currency, amount_micros, created_at
       from moved),
     posted as (
       select kind, case kind when 'charge' then transaction_id else reference end as id, account_id as account,
         amount_micros as micros, created_at
       from ledger_entries where kind in ('charge', 'clawback')),
     unlike as (
       select coalesce(e.kind, p.kind) as kind, coalesce(e.id, p.id) as id
       from expected e full join posted p on p.kind = e.kind and p.id = e.id and p.account = e.account
       where (e.micros, e.created_at) is distinct from (p.micros, p.created_at))
     select (select count(*) from moved) as moved, (select count(distinct (kind, id)) from posted) as posted,
       (select array_agg(id order by id) from (select distinct id from unlike order by id limit $1) as named) as unlike`,
    [MOST_WRONG],
  )
  const { moved, posted, unlike } = rows[0]!
  return { moved: Number(moved), posted: Number(posted), unlike: unlike ?? [] }
}

/** Wallets below zero: none, always. */
export async function negativeWallets(q: Queryable): Promise<readonly string[]> {
  const { rows } = await q.query<{ id: string }>(
    `select id from ledger_accounts where kind = 'wallet' and balance_micros < 0 order by id limit $1`,
    [MOST_WRONG],
  )
  return rows.map(({ id }) => id)
}

/** What counts against limits: charges, less what was given back, in the periods of their day. */
const SPENT = `(
  select campaign_id, budget_day, sum(amount_micros) as amount_micros, max(charged_at) as charged_at from (
    select campaign_id, budget_day, amount_micros, case when amount_micros > 0 then created_at end as charged_at
    from charges where outcome = 'charged'
    union all
    select campaign_id, budget_day, -amount_micros, null from clawed_back_charges) as moved
  group by campaign_id, budget_day) as spent
  cross join lateral (values ('total'), (budget_day::text),
    ('week:' || date_trunc('week', budget_day)::date::text), ('month:' || to_char(budget_day, 'YYYY-MM'))) as p (period)`

export interface CounterComparison {
  readonly counters: readonly MoneyByCurrency[]
  readonly charges: readonly MoneyByCurrency[]
  /** 'campaign period' where the two differ. */
  readonly differing: readonly string[]
}

/**
 * The spend counters beside the charges that they count, less what was given back, in total and by budget day; by week and by month where
 * such a counter is kept.
 */
export async function compareCounters(q: Queryable): Promise<CounterComparison> {
  const { rows } = await q.query<{
    currency: string
    counters: string
    charges: string
    differing: string[] | null
  }>(
    `with charged as (select campaign_id, period, sum(amount_micros) as micros from ${SPENT} group by campaign_id, period),
     compared as (
       select campaign_id, period, s.spent_micros as counter, c.micros as charges
       from spend_counters s full join charged c using (campaign_id, period)
       where s.campaign_id is not null or period not like '%:%')
     select coalesce(m.currency, '${UNKNOWN_CURRENCY}') as currency,
       coalesce(sum(counter) filter (where period = 'total'), 0)::text as counters,
       coalesce(sum(charges) filter (where period = 'total'), 0)::text as charges,
       array_agg(campaign_id || ' ' || period)
         filter (where coalesce(counter, 0) <> coalesce(charges, 0)) as differing
     from compared left join campaigns p on p.id = campaign_id left join merchants m on m.id = p.merchant_id
     group by m.currency`,
  )
  return {
    counters: rows.map(({ currency, counters }) => ({ currency, micros: sum(counters) })),
    charges: rows.map(({ currency, charges }) => ({ currency, micros: sum(charges) })),
    differing: rows.flatMap(({ differing }) => differing ?? []).sort(),
  }
}

export interface BudgetExcess {
  /** What was charged beyond a limit that was in force, over all campaigns and periods. */
  readonly excess: readonly MoneyByCurrency[]
  /** 'campaign period' of those. */
  readonly over: readonly string[]
}

/**
 * What was charged beyond budgets, less what was given back. A limit may be lowered below what is spent already: an excess counts only
 * when something was charged after a limit was last changed, that is, under the present ones. 5 s are left for a charge that was decided
 * while the change was being committed.
 */
export async function budgetExcess(q: Queryable): Promise<BudgetExcess> {
  const { rows } = await q.query<{ currency: string; excess: string; names: string[] }>(
    `with spent as (
       select campaign_id, period, sum(amount_micros) as micros,
         max(charged_at) as last_charge_at
       from ${SPENT} group by campaign_id, period),
     beyond as (
       select campaign_id, m.currency, period,
         micros - case when period = 'total' then budget_total_micros when period like 'week:%' then budget_weekly_micros
           when period like 'month:%' then budget_monthly_micros else budget_daily_micros end as excess
       from spent join campaigns c on c.id = campaign_id join merchants m on m.id = c.merchant_id
       where last_charge_at > coalesce(c.limits_changed_at, c.created_at) + interval '5 seconds')
     select currency, sum(excess)::text as excess, array_agg(campaign_id || ' ' || period) as names
     from beyond where excess > 0 group by currency`,
  )
  return {
    excess: rows.map(({ currency, excess }) => ({ currency, micros: sum(excess) })),
    over: rows.flatMap(({ names }) => names).sort(),
  }
}

/** Verdicts and charges given back, as ClickHouse should hold them, of one hour in which the interactions occurred. */
export interface HourOfCharges {
  readonly hourMs: number
  readonly currency: string
  readonly verdicts: number
  readonly charged: number
  readonly clawedBack: number
  /** Less what was given back. */
  readonly micros: Micros
  /** Over the facts of each row: another merchant, outcome or reason gives another sum. */
  readonly checksum: string
}

export interface ChargePeriod {
  /** When the interactions occurred. */
  readonly sinceMs: number
  /** Exclusive. */
  readonly occurredBeforeMs: number
  /** When they were billed, or given back; exclusive. */
  readonly billedBeforeMs: number
}

/** `facts`: what ClickHouse should hold of the row, as `STORED_FACTS` prints it there. */
const MOVED = `(
  select id, currency, outcome = 'charged' as charged, false as clawed_back, amount_micros as micros, occurred_at, created_at,
    ${CHARGE_FACTS} as facts
  from charges
  union all
  select 'claw:' || charge_id, currency, false, true, -amount_micros, occurred_at, created_at,
    ${CLAWBACK_FACTS}
  from clawed_back_charges) as moved
  where occurred_at >= $1 and occurred_at < $2 and created_at < $3`
const periodParameters = ({ sinceMs, occurredBeforeMs, billedBeforeMs }: ChargePeriod) =>
  [sinceMs, occurredBeforeMs, billedBeforeMs].map((instantMs) => new Date(instantMs))

/** Charges by the hour in which their interactions occurred, and by currency. */
export async function chargesByHour(q: Queryable, period: ChargePeriod): Promise<readonly HourOfCharges[]> {
  const { rows } = await q.query<{
    hour: bigint
    currency: string
    verdicts: bigint
    charged: bigint
    clawedBack: bigint
    micros: string
    checksum: string
  }>(
    `select floor(extract(epoch from occurred_at) / 3600)::bigint as hour, currency,
       count(*) filter (where not clawed_back) as verdicts, count(*) filter (where charged) as charged,
       count(*) filter (where clawed_back) as "clawedBack", sum(micros)::text as micros,
       sum(('x' || left(md5(facts), 8))::bit(32)::bigint)::text as checksum
     from ${MOVED} group by hour, currency order by hour, currency`,
    periodParameters(period),
  )
  return rows.map((row) => ({
    hourMs: Number(row.hour) * HOUR_MS,
    currency: row.currency,
    verdicts: Number(row.verdicts),
    charged: Number(row.charged),
    clawedBack: Number(row.clawedBack),
    micros: sum(row.micros),
    checksum: row.checksum,
  }))
}

/** Facts by event id of the charges of one hour. */
export async function chargeFacts(q: Queryable, period: ChargePeriod): Promise<ReadonlyMap<string, string>> {
  const { rows } = await q.query<{ id: string; facts: string }>(
    `select id, facts from ${MOVED}`,
    periodParameters(period),
  )
  return new Map(rows.map(({ id, facts }) => [id, facts]))
}

export interface DepositsBesideEntries {
  readonly moved: number
  readonly posted: number
  /** Deposits, refunds and credits whose entries are missing, doubled, or of another amount, merchant or booking time. */
  readonly unlike: readonly string[]
}

/** Each deposit, refund and goodwill credit beside its two ledger entries, which were booked in its instant. */
export async function depositsBesideEntries(q: Queryable): Promise<DepositsBesideEntries> {
  const { rows } = await q.query<{ moved: bigint; posted: bigint; unlike: string[] | null }>(
    `with moved as (
       select 'deposit' as kind, 'cash:' as source, id, merchant_id, currency, amount_micros, created_at from deposits
       union all select 'refund', 'cash:', id, merchant_id, currency, -amount_micros, created_at from refunds
       union all select 'credit', 'marketing:', id, merchant_id, currency, amount_micros, created_at from credits),
     expected as (
       select kind, id, 'wallet:' || merchant_id as account, amount_micros as micros, created_at from moved
       union all select kind, id, source || currency, -amount_micros, created_at from moved),
     posted as (
       select kind, reference as id, account_id as account, sum(amount_micros) as micros, min(created_at) as first_at,
         max(created_at) as last_at
       from ledger_entries where kind in ('deposit', 'refund', 'credit') group by 1, 2, 3),
     unlike as (
       select coalesce(e.id, p.id) as id
       from expected e full join posted p on p.kind = e.kind and p.id = e.id and p.account = e.account
       where (e.micros, e.created_at, e.created_at) is distinct from (p.micros, p.first_at, p.last_at))
     select (select count(*) from moved) as moved, (select count(distinct (kind, id)) from posted) as posted,
       (select array_agg(id order by id) from (select distinct id from unlike order by id limit $1) as named) as unlike`,
    [MOST_WRONG],
  )
  const { moved, posted, unlike } = rows[0]!
  return { moved: Number(moved), posted: Number(posted), unlike: unlike ?? [] }
}

/** Charge rows for valid billable interactions, charged or over a limit. */
const BILLABLE = `outcome = 'charged' or reason like 'over\\_%'`

export interface BillingProgress {
  /** By partition of the interactions topic. */
  readonly next: ReadonlyMap<number, bigint>
  /** Charge rows for valid billable interactions, charged or over a limit, by the hour in which they occurred. */
  readonly byHour: ReadonlyMap<number, number>
  /** Clicks that still wait for their impression. */
  readonly waiting: number
}

/** How far billing has come, and what it had billed then. Both must be read in one snapshot. */
export async function billingProgress(
  q: Queryable,
  consumer: string,
  topic: string,
): Promise<BillingProgress> {
  const offsets = await q.query<{ partition: number; next: bigint }>(
    'select partition, next_offset as next from consumer_offsets where consumer = $1 and topic = $2',
    [consumer, topic],
  )
  const hours = await q.query<{ hour: bigint; n: bigint }>(
    `select floor(extract(epoch from occurred_at) / 3600)::bigint as hour, count(*) as n
     from charges where ${BILLABLE} group by hour`,
  )
  const waiting = await q.query<{ n: bigint }>(
    `select count(*) as n from waiting_clicks
     join consumer_offsets using (partition)
     where consumer = $1 and topic = $2 and deadline > watermark`,
    [consumer, topic],
  )
  return {
    waiting: Number(waiting.rows[0]!.n),
    next: new Map(offsets.rows.map(({ partition, next }) => [partition, next])),
    byHour: new Map(hours.rows.map(({ hour, n }) => [Number(hour) * HOUR_MS, Number(n)])),
  }
}

/** Of these interactions, those that were valid and billable: when they occurred. */
export async function billableOf(
  q: Queryable,
  interactionIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await q.query<{ id: string; occurredAt: Date }>(
    `select interaction_id as id, occurred_at as "occurredAt" from charges
     where interaction_id = any ($1) and (${BILLABLE})`,
    [interactionIds],
  )
  return new Map(rows.map(({ id, occurredAt }) => [id, occurredAt.getTime()]))
}
