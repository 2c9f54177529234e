import {
  createTokenSealer,
  type InteractionEvent,
  type InteractionTopicEvent,
  type InteractionType,
  newEvent,
  PAGE_RANDOM_BYTES,
  type Pricing,
  type SlotToken,
  type TickEvent,
  type TokenKey,
} from '@endcap/contracts'
import type { Postgres } from '@endcap/platform/postgres'
import { postLedger } from '@endcap/storage/postgres'

export const TOKEN_KEYS: readonly TokenKey[] = [{ id: 'k1', secret: Buffer.alloc(32, 7) }]
const tokens = createTokenSealer(TOKEN_KEYS)
const HOUR_MS = 3_600_000

export interface MerchantSeed {
  readonly id: string
  readonly currency?: string
  readonly timeZone?: string
  readonly depositMicros?: bigint
}

/** Merchants with their wallets filled. */
export async function seedMerchants(
  postgres: Postgres,
  merchants: readonly MerchantSeed[],
  now: Date,
): Promise<void> {
  await postgres.transaction(async (tx) => {
    await tx.query(
      `insert into merchants (id, name, currency, time_zone, created_at, updated_at)
       select id, id, currency, zone, $4, $4 from unnest($1::text[], $2::text[], $3::text[]) as m (id, currency, zone)`,
      [
        merchants.map(({ id }) => id),
        merchants.map(({ currency }) => currency ?? 'EUR'),
        merchants.map(({ timeZone }) => timeZone ?? 'UTC'),
        now,
      ],
    )
  })
  await deposit(postgres, merchants, now)
}

let deposits = 0
/** Puts money into wallets, as the deposits API does. */
export async function deposit(
  postgres: Postgres,
  merchants: readonly MerchantSeed[],
  now: Date,
): Promise<void> {
  const paying = merchants.flatMap(({ id, currency = 'EUR', depositMicros = 0n }) =>
    depositMicros > 0n ? [{ deposit: `dep_${process.pid}_${++deposits}`, id, currency, depositMicros }] : [],
  )
  await postgres.transaction(async (tx) => {
    for (const { deposit, id, currency, depositMicros } of paying) {
      await tx.query(
        `insert into deposits (id, merchant_id, amount_micros, currency, reference, created_at)
         values ($1, $2, $3, $4, 'test', $5)`,
        [deposit, id, depositMicros, currency, now],
      )
    }
    await postLedger(
      tx,
      paying.map(({ deposit, id, currency, depositMicros }) => ({
        transactionId: `ltx_${deposit}`,
        kind: 'deposit' as const,
        currency,
        occurredAt: now,
        reference: deposit,
        entries: [
          { account: { kind: 'wallet' as const, merchantId: id, currency }, amountMicros: depositMicros },
          { account: { kind: 'cash' as const, currency }, amountMicros: -depositMicros },
        ],
      })),
      now,
    )
  })
}

export interface CampaignSeed {
  readonly id: string
  readonly merchantId: string
  readonly pricing?: Pricing
  readonly budgetDailyMicros?: bigint
  readonly budgetWeeklyMicros?: bigint
  readonly budgetMonthlyMicros?: bigint
  readonly budgetTotalMicros?: bigint
}

export async function seedCampaigns(
  postgres: Postgres,
  campaigns: readonly CampaignSeed[],
  now: Date,
): Promise<void> {
  await postgres.query(
    `insert into campaigns (id, merchant_id, name, status, pricing, bid_micros, budget_daily_micros, budget_weekly_micros, budget_monthly_micros,
       budget_total_micros, pacing, created_at, updated_at)
     select id, merchant_id, id, 'active', pricing, 1000000, daily, weekly, monthly, total, 'asap', $8, $8
     from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
       as c (id, merchant_id, pricing, daily, weekly, monthly, total)`,
    [
      campaigns.map(({ id }) => id),
      campaigns.map(({ merchantId }) => merchantId),
      campaigns.map(({ pricing }) => pricing ?? 'cpc'),
      campaigns.map(({ budgetDailyMicros }) => budgetDailyMicros ?? null),
      campaigns.map(({ budgetWeeklyMicros }) => budgetWeeklyMicros ?? null),
      campaigns.map(({ budgetMonthlyMicros }) => budgetMonthlyMicros ?? null),
      campaigns.map(({ budgetTotalMicros }) => budgetTotalMicros ?? null),
      now,
    ],
  )
}

/** A sponsored slot's token with everything a test doesn't care about filled in. */
export const slotToken = (
  parts: Partial<SlotToken> & { readonly auctionId: string; readonly issuedAtMs: number },
): SlotToken => ({
  position: 1,
  placement: 'search',
  searchTerm: 'shoes',
  device: 'mobile',
  modelVersion: 'mdl_1',
  listingId: 'l1',
  merchantId: 'm1',
  sponsored: true,
  campaignId: 'c1',
  adId: 'ad1',
  pricing: 'cpc',
  priceMicros: 250_000n,
  currency: 'EUR',
  expiresAtMs: parts.issuedAtMs + 24 * HOUR_MS,
  ...parts,
})

/** An interaction event as the ad-server writes it, with the token sealed under `keys`. */
export function interactionOf(
  id: string,
  type: InteractionType,
  occurredAtMs: number,
  token: SlotToken,
  sealer = tokens,
): InteractionEvent {
  const occurredAt = new Date(occurredAtMs).toISOString()
  return newEvent(type, {
    id,
    occurredAtMs: Date.parse(occurredAt),
    source: 'ad-server',
    key: token.merchantId,
    data: {
      token: sealer.seal(
        token,
        Buffer.from(id.padEnd(PAGE_RANDOM_BYTES, '.').slice(-PAGE_RANDOM_BYTES), 'latin1'),
      ),
      auctionId: token.auctionId,
      position: token.position,
      listingId: token.listingId,
      merchantId: token.merchantId,
      campaignId: token.campaignId,
      adId: token.adId,
      sponsored: token.sponsored,
      placement: token.placement,
      searchTerm: token.searchTerm,
      device: token.device,
      modelVersion: token.modelVersion,
      customerHash: '',
      channel: 'browser',
      client: { addressHash: '', userAgent: '' },
      suspicions: [],
    },
  })
}

/** A tick as billing writes it, in the partition of a key. */
export function tickOf(key: string, atMs: number): TickEvent {
  const at = new Date(atMs).toISOString()
  return newEvent('tick', {
    id: `tick-${key}-${atMs}`,
    occurredAtMs: Date.parse(at),
    source: 'billing',
    key,
    data: {},
  })
}

/** The record of an event. */
export const recordOf = (event: InteractionTopicEvent) => ({ key: event.key, value: JSON.stringify(event) })

/** Asks until it holds. @throws when it still doesn't at the deadline */
export async function until(holds: () => Promise<boolean>, what: string, deadlineMs = 30_000): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
