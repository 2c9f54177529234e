import { budgetDay, type Campaign } from '@endcap/contracts'
import { merchantZones, type Queryable, walletBalances } from '@endcap/platform/postgres'
import { campaignAnswer } from '../domain/campaign.js'
import { type CampaignRecord, findAds, findSpend } from '../store/campaigns.js'

/** Campaigns as the API answers them, with their ads, today's spend and what keeps each from serving. */
export async function presentCampaigns(
  db: Queryable,
  campaigns: readonly CampaignRecord[],
  nowMs: number,
): Promise<readonly Campaign[]> {
  if (campaigns.length === 0) return []
  const ids = campaigns.map((campaign) => campaign.id)
  const merchantIds = [...new Set(campaigns.map((campaign) => campaign.merchantId))]
  const merchants = await merchantZones(db, merchantIds)
  const today = new Map([...merchants].map(([id, { timeZone }]) => [id, budgetDay(nowMs, timeZone)]))
  const ads = await findAds(db, ids)
  const spend = await findSpend(db, ids, ['total', ...new Set(today.values())])
  const wallets = await walletBalances(db, merchantIds)
  return campaigns.map((campaign) => {
    const { id, merchantId } = campaign
    const { currency, timeZone } = merchants.get(merchantId)!
    const means = {
      spentTodayMicros: spend(id, today.get(merchantId)!),
      spentTotalMicros: spend(id, 'total'),
      walletMicros: wallets.get(merchantId)?.balanceMicros ?? 0n,
      timeZone,
    }
    return campaignAnswer(campaign, ads.get(id)!, currency, means, nowMs)
  })
}

/** One campaign as the API answers it. */
export async function presentCampaign(
  db: Queryable,
  campaign: CampaignRecord,
  nowMs: number,
): Promise<Campaign> {
  const [answer] = await presentCampaigns(db, [campaign], nowMs)
  return answer!
}
