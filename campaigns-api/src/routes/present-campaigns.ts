import type { Campaign } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'
import type { CampaignRecord } from '../domain/campaign.js'
import { campaignAnswer } from '../domain/campaign.js'
import { findAds } from '../store/campaigns.js'
import { positionsOf } from './positions-of.js'

/** Campaigns as the API answers them, with their ads, today's spend and what keeps each from serving. */
export async function presentCampaigns(
  db: Queryable,
  campaigns: readonly CampaignRecord[],
  nowMs: number,
): Promise<readonly Campaign[]> {
  if (campaigns.length === 0) return []
  const ads = await findAds(
    db,
    campaigns.map((campaign) => campaign.id),
  )
  const positions = await positionsOf(db, campaigns, nowMs)
  return campaigns.map((campaign, index) => {
    const { currency, means } = positions[index]!
    return campaignAnswer(campaign, ads.get(campaign.id)!, currency, means, nowMs)
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
