import type { Micros, Pricing } from '@endcap/contracts'
import {
  bigintArray,
  dateArray,
  intArray,
  type Queryable,
  type Transaction,
  textArray,
  timestampArray,
} from '@endcap/platform/postgres'
import {
  type BillableInteraction,
  type BillingState,
  type CampaignLimits,
  counterKey,
  type Decision,
  type SlotState,
  type SpendCounter,
  slotKey,
  type Verdict,
} from '../domain/types.js'

/** A verdict with the id of its row. */
export interface ChargeRow {
  readonly chargeId: string
  readonly verdict: Verdict
}

/** Which of these interactions have a verdict. */
export async function judgedInteractions(q: Queryable, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await q.query<{ id: string }>(
    `select interaction_id as id from charges where interaction_id = any ($1::text[])
     union all select impression_id from seen_impressions where impression_id = any ($1::text[])
     union all select click_id from seen_impressions where click_id = any ($1::text[])`,
    [textArray(ids)],
  )
  return new Set(rows.map((row) => row.id))
}

/** Impressions are remembered for twice this time: a slot that is younger has not been forgotten, whatever clocks say. */
const REMEMBERED_MS = 24 * 3_600_000

/**
 * What is remembered of these slots: impressions seen, and charges, which outlive them. Charges are looked for only where the impression
 * may be forgotten: else the impression itself knows of its click.
 */
export async function slotStates(
  q: Queryable,
  interactions: readonly BillableInteraction[],
  now: Date,
): Promise<ReadonlyMap<string, SlotState>> {
  const wanted = new Map(interactions.map((interaction) => [slotKey(interaction.slot), interaction]))
  const slots = [...wanted.values()].map(({ slot, offer }) => ({
    ...slot,
    isOld: !offer || now.getTime() - offer.issuedAtMs > REMEMBERED_MS,
  }))
  const { rows } = await q.query<{
    auctionId: string
    position: number
    impressionId: string | null
    seenAt: Date | null
    clickId: string | null
    charged: boolean
  }>(
    `select slot.auction_id as "auctionId", slot.position, s.impression_id as "impressionId",
       s.occurred_at as "seenAt", s.click_id as "clickId",
       slot.is_old = 1 and exists (select 1 from charges c where c.auction_id = slot.auction_id and c.position = slot.position
               and c.outcome = 'charged') as charged
     from unnest($1::text[], $2::int[], $3::int[]) as slot (auction_id, position, is_old)
     left join seen_impressions s on s.auction_id = slot.auction_id and s.position = slot.position`,
    [
      textArray(slots.map((slot) => slot.auctionId)),
      intArray(slots.map((slot) => slot.position)),
      intArray(slots.map(({ isOld }) => (isOld ? 1 : 0))),
    ],
  )
  return new Map(
    rows
      .filter((row) => row.impressionId !== null || row.charged)
      .map((row) => [
        slotKey(row),
        {
          impression:
            row.impressionId === null
              ? undefined
              : { id: row.impressionId, occurredAtMs: row.seenAt!.getTime() },
          clickId: row.clickId ?? undefined,
          charged: row.charged,
        },
      ]),
  )
}

/**
 * Pricing, limits and money zone of campaigns that exist. `hold` keeps them from being changed until the transaction ends, so that nobody
 * is told that a limit was lowered while charges are still being made under the older one.
 */
export async function campaignLimits(
  q: Queryable,
  campaignIds: readonly string[],
  options: { readonly hold?: boolean } = {},
): Promise<ReadonlyMap<string, CampaignLimits>> {
  const { rows } = await q.query<{
    id: string
    merchantId: string
    pricing: Pricing
    currency: string
    timeZone: string
    budgetDailyMicros: Micros | null
    budgetWeeklyMicros: Micros | null
    budgetMonthlyMicros: Micros | null
    budgetTotalMicros: Micros | null
  }>(
    `select c.id, c.merchant_id as "merchantId", c.pricing, m.currency, m.time_zone as "timeZone",
       c.budget_daily_micros as "budgetDailyMicros", c.budget_weekly_micros as "budgetWeeklyMicros",
       c.budget_monthly_micros as "budgetMonthlyMicros", c.budget_total_micros as "budgetTotalMicros"
     from campaigns c join merchants m on m.id = c.merchant_id where c.id = any ($1)
     order by c.id ${options.hold ? 'for key share of c' : ''}`,
    [campaignIds],
  )
  return new Map(
    rows.map(({ id, ...limits }) => [
      id,
      {
        ...limits,
        budgetDailyMicros: limits.budgetDailyMicros ?? undefined,
        budgetWeeklyMicros: limits.budgetWeeklyMicros ?? undefined,
        budgetMonthlyMicros: limits.budgetMonthlyMicros ?? undefined,
        budgetTotalMicros: limits.budgetTotalMicros ?? undefined,
      },
    ]),
  )
}

/** The counters that exist for these campaigns in these periods, locked in one order until the transaction ends. */
export async function lockCounters(
  tx: Transaction,
  campaignIds: readonly string[],
  periods: readonly string[],
): Promise<ReadonlyMap<string, SpendCounter>> {
  const { rows } = await tx.query<SpendCounter>(
    `select campaign_id as "campaignId", merchant_id as "merchantId", period, spent_micros as "spentMicros", carry
     from spend_counters where campaign_id = any ($1) and period = any ($2)
     order by campaign_id, period for update`,
    [campaignIds, periods],
  )
  return new Map(rows.map((row) => [counterKey(row.campaignId, row.period), row]))
}

/** Remembers first impressions, with their first clicks where those were decided along with them, and clicks on earlier ones. */
export async function writeSlots(tx: Transaction, decision: Decision, now: Date): Promise<void> {
  const { impressions, clicks, slots } = decision
  if (impressions.length > 0) {
    await tx.query(
      `insert into seen_impressions (auction_id, position, impression_id, occurred_at, click_id, recorded_at)
       select seen.*, $6 from unnest($1::text[], $2::int[], $3::text[], $4::timestamptz[], $5::text[]) as seen`,
      [
        textArray(impressions.map(({ slot }) => slot.auctionId)),
        intArray(impressions.map(({ slot }) => slot.position)),
        textArray(impressions.map(({ interactionId }) => interactionId)),
        timestampArray(impressions.map(({ occurredAtMs }) => occurredAtMs)),
        textArray(impressions.map(({ slot }) => slots.get(slotKey(slot))?.clickId ?? null)),
        now,
      ],
    )
  }
  const written = new Set(impressions.map(({ slot }) => slotKey(slot)))
  const onEarlier = clicks.filter(({ slot }) => !written.has(slotKey(slot)))
  if (onEarlier.length === 0) return
  await tx.query(
    `update seen_impressions s set click_id = click.id
     from unnest($1::text[], $2::int[], $3::text[]) as click (auction_id, position, id)
     where s.auction_id = click.auction_id and s.position = click.position`,
    [
      textArray(onEarlier.map(({ slot }) => slot.auctionId)),
      intArray(onEarlier.map(({ slot }) => slot.position)),
      textArray(onEarlier.map(({ interactionId }) => interactionId)),
    ],
  )
}

export async function writeCharges(tx: Transaction, charges: readonly ChargeRow[], now: Date): Promise<void> {
  if (charges.length === 0) return
  const slots = charges.map(({ verdict }) => verdict.interaction.slot)
  const verdicts = charges.map(({ verdict }) => verdict)
  await tx.query(
    `insert into charges (id, interaction_id, interaction_type, auction_id, position, merchant_id, campaign_id, ad_id,
       listing_id, pricing, amount_micros, price_micros, currency, outcome, reason, budget_day, occurred_at, created_at)
     select charge.*, $18
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[],
       $10::text[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::date[], $17::timestamptz[]) as charge`,
    [
      textArray(charges.map(({ chargeId }) => chargeId)),
      textArray(verdicts.map(({ interaction }) => interaction.interactionId)),
      textArray(verdicts.map(({ interaction }) => interaction.type)),
      textArray(slots.map((slot) => slot.auctionId)),
      intArray(slots.map((slot) => slot.position)),
      textArray(slots.map((slot) => slot.merchantId)),
      textArray(slots.map((slot) => slot.campaignId)),
      textArray(slots.map((slot) => slot.adId)),
      textArray(slots.map((slot) => slot.listingId)),
      textArray(verdicts.map(({ pricing }) => pricing)),
      bigintArray(verdicts.map(({ amountMicros }) => amountMicros)),
      bigintArray(verdicts.map(({ priceMicros }) => priceMicros)),
      textArray(verdicts.map(({ currency }) => currency)),
      textArray(verdicts.map(({ outcome }) => outcome)),
      textArray(verdicts.map(({ reason }) => reason)),
      dateArray(verdicts.map(({ budgetDay }) => budgetDay)),
      timestampArray(verdicts.map(({ interaction }) => interaction.occurredAtMs)),
      now,
    ],
  )
}

/** Writes the counters as they now are. They were read under lock, or under the lock of their merchant's wallet when new. */
export async function writeCounters(
  tx: Transaction,
  counters: BillingState['counters'],
  now: Date,
): Promise<void> {
  const rows = [...counters.values()]
  if (rows.length === 0) return
  await tx.query(
    `insert into spend_counters (campaign_id, period, merchant_id, spent_micros, carry, updated_at)
     select counter.*, $6 from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) as counter
     on conflict (campaign_id, period) do update
     set spent_micros = excluded.spent_micros, carry = excluded.carry, updated_at = excluded.updated_at`,
    [
      textArray(rows.map((row) => row.campaignId)),
      textArray(rows.map((row) => row.period)),
      textArray(rows.map((row) => row.merchantId)),
      bigintArray(rows.map((row) => row.spentMicros)),
      bigintArray(rows.map((row) => row.carry)),
      now,
    ],
  )
}
