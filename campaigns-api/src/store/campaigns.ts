import type { CampaignStatus, Micros } from '@endcap/contracts'
import type { Queryable, Transaction } from '@endcap/platform/postgres'
import type { AdRecord, CampaignRecord } from '../domain/campaign.js'

const COLUMNS = `id, merchant_id as "merchantId", name, status, pricing, bid_micros as "bidMicros",
  budget_daily_micros as "budgetDailyMicros", budget_total_micros as "budgetTotalMicros", starts_at as "startsAt",
  ends_at as "endsAt", dayparts, pacing, targeting, placements, target_roas as "targetRoas",
  frequency_cap as "frequencyCap", budget_weekly_micros as "budgetWeeklyMicros",
  budget_monthly_micros as "budgetMonthlyMicros", time_zone as "timeZone", version, created_at as "createdAt", updated_at as "updatedAt"`

const values = (campaign: CampaignRecord): readonly unknown[] => [
  campaign.id,
  campaign.merchantId,
  campaign.name,
  campaign.status,
  campaign.pricing,
  campaign.bidMicros,
  campaign.budgetDailyMicros,
  campaign.budgetTotalMicros,
  campaign.startsAt,
  campaign.endsAt,
  JSON.stringify(campaign.dayparts),
  campaign.pacing,
  JSON.stringify(campaign.targeting),
  campaign.placements,
  campaign.targetRoas,
  campaign.frequencyCap === null ? null : JSON.stringify(campaign.frequencyCap),
  campaign.version,
  campaign.createdAt,
  campaign.updatedAt,
  campaign.budgetWeeklyMicros,
  campaign.budgetMonthlyMicros,
  campaign.timeZone,
]

export async function insertCampaign(tx: Transaction, campaign: CampaignRecord): Promise<void> {
  await tx.query(
    `insert into campaigns (id, merchant_id, name, status, pricing, bid_micros, budget_daily_micros, budget_total_micros,
       starts_at, ends_at, dayparts, pacing, targeting, placements, target_roas, frequency_cap, version, created_at, updated_at,
       budget_weekly_micros, budget_monthly_micros, time_zone)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, $13::jsonb, $14, $15, $16::jsonb, $17, $18, $19,
       $20, $21, $22)`,
    values(campaign),
  )
}

/** Writes everything that a campaign may change; its merchant, pricing and creation stay. */
export async function updateCampaign(tx: Transaction, campaign: CampaignRecord): Promise<void> {
  await tx.query(
    `update campaigns set name = $2, status = $3, bid_micros = $4, budget_daily_micros = $5, budget_total_micros = $6,
       starts_at = $7, ends_at = $8, dayparts = $9::jsonb, pacing = $10, targeting = $11::jsonb, placements = $12,
       target_roas = $13, frequency_cap = $14::jsonb, version = $15, updated_at = $16, budget_weekly_micros = $17,
       budget_monthly_micros = $18, time_zone = $19,
       limits_changed_at = case
         when (budget_daily_micros, budget_total_micros, budget_weekly_micros, budget_monthly_micros)
           is distinct from ($5::bigint, $6::bigint, $17::bigint, $18::bigint) then $16 else limits_changed_at end
     where id = $1`,
    [
      campaign.id,
      campaign.name,
      campaign.status,
      campaign.bidMicros,
      campaign.budgetDailyMicros,
      campaign.budgetTotalMicros,
      campaign.startsAt,
      campaign.endsAt,
      JSON.stringify(campaign.dayparts),
      campaign.pacing,
      JSON.stringify(campaign.targeting),
      campaign.placements,
      campaign.targetRoas,
      campaign.frequencyCap === null ? null : JSON.stringify(campaign.frequencyCap),
      campaign.version,
      campaign.updatedAt,
      campaign.budgetWeeklyMicros,
      campaign.budgetMonthlyMicros,
      campaign.timeZone,
    ],
  )
}

export async function findCampaign(db: Queryable, id: string): Promise<CampaignRecord | undefined> {
  const { rows } = await db.query<CampaignRecord>(`select ${COLUMNS} from campaigns where id = $1`, [id])
  return rows[0]
}

/** Like `findCampaign`, and holds the row against other writers until the transaction ends. */
export async function lockCampaign(tx: Transaction, id: string): Promise<CampaignRecord | undefined> {
  const { rows } = await tx.query<CampaignRecord>(
    `select ${COLUMNS} from campaigns where id = $1 for update`,
    [id],
  )
  return rows[0]
}

/** Newest first. `merchantIds` restricts to these merchants; `after` is the last id of the page before. */
export async function listCampaigns(
  db: Queryable,
  page: {
    readonly merchantIds: readonly string[] | undefined
    readonly status: CampaignStatus | undefined
    readonly after: string | undefined
    readonly limit: number
  },
): Promise<readonly CampaignRecord[]> {
  const { rows } = await db.query<CampaignRecord>(
    `select ${COLUMNS} from campaigns
     where ($1::text[] is null or merchant_id = any($1::text[])) and ($2::text is null or status = $2)
       and ($3::text is null or id < $3)
     order by id desc limit $4`,
    [page.merchantIds ?? null, page.status ?? null, page.after ?? null, page.limit],
  )
  return rows
}

/** The ads of these campaigns that are not taken out, in the order they were put in. */
export async function findAds(
  db: Queryable,
  campaignIds: readonly string[],
): Promise<ReadonlyMap<string, readonly AdRecord[]>> {
  const { rows } = await db.query<AdRecord>(
    `select ad.id, ad.campaign_id as "campaignId", ad.listing_id as "listingId", listing.status as "listingStatus",
       listing.categories as "listingCategories"
     from ads ad join listings listing on listing.id = ad.listing_id
     where ad.campaign_id = any($1::text[]) and ad.removed_at is null
     order by ad.campaign_id, ad.id`,
    [campaignIds],
  )
  const byCampaign = new Map<string, AdRecord[]>(campaignIds.map((id) => [id, []]))
  for (const row of rows) byCampaign.get(row.campaignId)!.push(row)
  return byCampaign
}

/**
 * Makes the campaign's ads be exactly one per listing: a listing put back gets the ad id it had, the others the ids given.
 * An ad taken out is kept, because charges point at it.
 */
export async function setAds(
  tx: Transaction,
  campaignId: string,
  ads: readonly { readonly id: string; readonly listingId: string }[],
  now: Date,
): Promise<void> {
  const listingIds = ads.map((ad) => ad.listingId)
  await tx.query(
    `update ads set removed_at = $3
     where campaign_id = $1 and removed_at is null and listing_id <> all($2::text[])`,
    [campaignId, listingIds, now],
  )
  await tx.query(
    `insert into ads (id, campaign_id, listing_id, created_at)
     select ad.id, $1, ad.listing_id, $4 from unnest($2::text[], $3::text[]) as ad (id, listing_id)
     on conflict (campaign_id, listing_id) do update set removed_at = null where ads.removed_at is not null`,
    [campaignId, ads.map((ad) => ad.id), listingIds, now],
  )
}

/** Spend of campaigns by period: 'total' or a budget day. */
export async function findSpend(
  db: Queryable,
  campaignIds: readonly string[],
  periods: readonly string[],
): Promise<(campaignId: string, period: string) => Micros> {
  const { rows } = await db.query<{ campaignId: string; period: string; spentMicros: bigint }>(
    `select campaign_id as "campaignId", period, spent_micros as "spentMicros" from spend_counters
     where campaign_id = any($1::text[]) and period = any($2::text[])`,
    [campaignIds, periods],
  )
  const spend = new Map(rows.map((row) => [`${row.period} ${row.campaignId}`, row.spentMicros]))
  return (campaignId, period) => spend.get(`${period} ${campaignId}`) ?? 0n
}
