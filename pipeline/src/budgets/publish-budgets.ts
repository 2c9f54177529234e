import {
  BUDGET_VIEW_KEY,
  BUDGET_VIEW_PUBLISHED_KEY,
  budgetDay,
  budgetMonthOf,
  budgetWeekOf,
  type CampaignBudgetView,
  type Clock,
  type Micros,
  WALLET_VIEW_KEY,
} from '@endcap/contracts'
import type { Postgres, Queryable } from '@endcap/platform/postgres'
import type { StateStore } from '@endcap/platform/state-store'

export interface PublishBudgetsDeps {
  readonly postgres: Postgres
  readonly state: StateStore
  readonly clock: Clock
}

/** Rows are stamped when their transaction begins and seen when it commits: changes are looked for this far back. */
const OVERLAP_MS = 10_000
/** The whole view again this often: it heals whatever a store lost or a clock got wrong. */
const WHOLE_EVERY_MS = 30_000
const FIELDS_PER_WRITE = 1000
const DAY_MS = 86_400_000

/**
 * Makes the step that tells the ad-servers what is spent and what is left in the wallets: what changed since the last call,
 * and everything at first, every 30 s and when the state store has forgotten. Values are absolute, so that any number of
 * publishers may run.
 */
export function createPublishBudgets({ postgres, state, clock }: PublishBudgetsDeps) {
  let lastRunMs = 0
  let lastWholeMs = Number.NEGATIVE_INFINITY
  const published = new Map<string, string>()

  return async function publishBudgets(): Promise<void> {
    const nowMs = clock()
    const forgotten = (await state.get(BUDGET_VIEW_PUBLISHED_KEY)) === undefined
    const whole = forgotten || nowMs - lastWholeMs >= WHOLE_EVERY_MS || nowMs < lastRunMs
    const since = new Date(whole ? 0 : lastRunMs - OVERLAP_MS)
    if (whole) published.clear()
    await publish(BUDGET_VIEW_KEY, await budgetViews(postgres, since, nowMs))
    await publish(WALLET_VIEW_KEY, await walletViews(postgres, since))
    // What stood there and what changed since make the whole view as of now.
    await state.set(BUDGET_VIEW_PUBLISHED_KEY, String(nowMs), 0)
    lastRunMs = nowMs
    if (whole) lastWholeMs = nowMs
  }

  async function publish(key: string, fields: ReadonlyMap<string, string>): Promise<void> {
    const changed = [...fields].filter(([field, value]) => published.get(`${key} ${field}`) !== value)
    for (let start = 0; start < changed.length; start += FIELDS_PER_WRITE) {
      const slice = changed.slice(start, start + FIELDS_PER_WRITE)
      await state.hashSet(key, Object.fromEntries(slice))
      for (const [field, value] of slice) published.set(`${key} ${field}`, value)
    }
  }
}

/** The view of each campaign whose counters changed since then, for the budget day that its merchant has now. */
async function budgetViews(q: Queryable, since: Date, nowMs: number): Promise<ReadonlyMap<string, string>> {
  // The days that are today somewhere on earth.
  const days = [-DAY_MS, 0, DAY_MS].map((shift) => budgetDay(nowMs + shift, 'UTC'))
  const { rows } = await q.query<{ id: string; timeZone: string; period: string; spentMicros: Micros }>(
    `select s.campaign_id as id, m.time_zone as "timeZone", s.period, s.spent_micros as "spentMicros"
     from spend_counters s join merchants m on m.id = s.merchant_id
     where s.campaign_id in (select campaign_id from spend_counters where updated_at >= $1)
       and s.period = any ($2)`,
    [since, ['total', ...new Set(days.flatMap((day) => [day, budgetWeekOf(day), budgetMonthOf(day)]))]],
  )
  const views = new Map<string, CampaignBudgetView>()
  for (const { id, timeZone, period, spentMicros } of rows) {
    const day = budgetDay(nowMs, timeZone)
    const view = views.get(id) ?? { day, spentDay: '0', spentWeek: '0', spentMonth: '0', spentTotal: '0' }
    const field = fieldOf(period, day)
    if (field) views.set(id, { ...view, [field]: spentMicros.toString() })
  }
  return new Map([...views].map(([id, view]) => [id, JSON.stringify(view)]))
}

/** Where a period stands in the view of a budget day; undefined: it is of another day, week or month. */
function fieldOf(period: string, day: string): Exclude<keyof CampaignBudgetView, 'day'> | undefined {
  if (period === 'total') return 'spentTotal'
  if (period === day) return 'spentDay'
  if (period === budgetWeekOf(day)) return 'spentWeek'
  return period === budgetMonthOf(day) ? 'spentMonth' : undefined
}

async function walletViews(q: Queryable, since: Date): Promise<ReadonlyMap<string, string>> {
  const { rows } = await q.query<{ merchantId: string; balanceMicros: Micros }>(
    `select merchant_id as "merchantId", balance_micros as "balanceMicros"
     from ledger_accounts where kind = 'wallet' and updated_at >= $1`,
    [since],
  )
  return new Map(rows.map(({ merchantId, balanceMicros }) => [merchantId, balanceMicros.toString()]))
}
