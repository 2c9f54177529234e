import { budgetDay, type ChargeEvent, type ClawbackEvent, clawbackEvent, TOPICS } from '@endcap/contracts'
import type { Postgres } from '@endcap/platform/postgres'
import { postLedger } from '@endcap/storage/postgres'
import { charge } from './report-events.js'

let last = 0

export interface TestCharge {
  readonly merchantId: string
  readonly campaignId: string
  readonly micros: bigint
  /** When the interaction occurred, and was billed. */
  readonly at: string
  readonly of?: 'click' | 'impression'
  readonly currency?: string
  readonly timeZone?: string
  readonly searchTerm?: string
  readonly interactionId?: string
}

/** Books charges as billing does: charge, ledger and the counters of all periods. Gives their events, in the order of the charges. */
export async function bookCharges(
  postgres: Postgres,
  charges: readonly TestCharge[],
): Promise<readonly ChargeEvent[]> {
  const events: ChargeEvent[] = []
  for (const each of charges) {
    const { merchantId, campaignId, micros, currency = 'EUR' } = each
    const id = `chg_${(++last).toString().padStart(8, '0')}`
    const interactionId = each.interactionId ?? `key_secret:int_${last}`
    const of = each.of ?? 'click'
    const at = new Date(each.at)
    const day = budgetDay(at.getTime(), each.timeZone ?? 'Europe/Berlin')
    const monday = new Date(`${day}T00:00:00Z`)
    monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7))
    await postgres.transaction(async (tx) => {
      await tx.query(
        `insert into charges (id, interaction_id, interaction_type, auction_id, position, merchant_id, campaign_id, ad_id,
           listing_id, pricing, amount_micros, price_micros, currency, outcome, budget_day, occurred_at, created_at)
         values ($1, $2, $3, $1, 1, $4, $5, 'ad_1', 'L1', $6, $7, $7, $8, 'charged', $9, $10, $10)`,
        [
          id,
          interactionId,
          of,
          merchantId,
          campaignId,
          of === 'click' ? 'cpc' : 'cpm',
          micros,
          currency,
          day,
          at,
        ],
      )
      await tx.query(
        `insert into spend_counters (campaign_id, period, merchant_id, spent_micros, updated_at)
         select $1, period, $2, $3, $5 from unnest($4::text[]) as period
         on conflict (campaign_id, period) do update set spent_micros = spend_counters.spent_micros + $3`,
        [
          campaignId,
          merchantId,
          micros,
          ['total', day, `week:${monday.toISOString().slice(0, 10)}`, `month:${day.slice(0, 7)}`],
          at,
        ],
      )
      if (micros === 0n) return
      await postLedger(
        tx,
        [
          {
            transactionId: id,
            kind: 'charge',
            currency,
            occurredAt: at,
            reference: interactionId,
            entries: [
              { account: { kind: 'wallet', merchantId, currency }, amountMicros: -micros },
              { account: { kind: 'revenue', currency }, amountMicros: micros },
            ],
          },
        ],
        at,
      )
    })
    const slot = { merchantId, campaignId, listingId: 'L1', searchTerm: each.searchTerm ?? 'shoes' }
    events.push(charge(each.at, slot, { chargeId: id, interactionId, micros, of, currency }))
  }
  return events
}

/** The clawbacks that wait in the outbox, oldest first. */
export async function waitingClawbacks(postgres: Postgres): Promise<readonly ClawbackEvent[]> {
  const { rows } = await postgres.query<{ value: string }>(
    'select value from outbox where topic = $1 order by id',
    [TOPICS.charges],
  )
  return rows.map(({ value }) => clawbackEvent.parse(JSON.parse(value)))
}
