import type { Campaign, CreateCampaignBody } from '@endcap/contracts'
import type { Caller } from '@endcap/platform/http'
import type { Transaction } from '@endcap/platform/postgres'
import { visibleMerchant } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import type { CampaignRecord } from '../../domain/campaign.js'
import { campaignStateOf, settingsOf, settingsProblems } from '../../domain/campaign.js'
import { insertCampaign, setAds } from '../../store/campaigns.js'
import { problemsOfListings, refuseIfAny } from '../campaign-checks.js'
import { presentCampaign } from '../present-campaigns.js'
import { recordChanges } from '../record-changes.js'

export async function createCampaign(
  tx: Transaction,
  deps: CampaignsApiDeps,
  caller: Caller,
  body: CreateCampaignBody,
): Promise<Campaign> {
  const { id: merchantId } = await visibleMerchant(tx, caller, body.merchantId, '/merchantId')
  const settings = settingsOf(body)
  refuseIfAny([...settingsProblems(settings), ...(await problemsOfListings(tx, merchantId, body.listings))])
  const now = new Date(deps.clock())
  const campaign: CampaignRecord = {
    ...settings,
    id: deps.ids('campaign'),
    merchantId,
    status: body.status,
    pricing: body.pricing,
    version: 1,
    createdAt: now,
    updatedAt: now,
  }
  const ads = body.listings.map((listingId) => ({ id: deps.ids('ad'), listingId }))
  await insertCampaign(tx, campaign)
  await setAds(tx, campaign.id, ads, now)
  const answer = await presentCampaign(tx, campaign, now.getTime())
  await recordChanges(tx, deps, now, [
    { kind: 'campaign', id: campaign.id, state: campaignStateOf(campaign, answer.ads) },
  ])
  return answer
}
