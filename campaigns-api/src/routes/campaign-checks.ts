import { EndcapError, type FieldError } from '@endcap/contracts'
import type { Caller } from '@endcap/platform/http'
import type { Transaction } from '@endcap/platform/postgres'
import { notFound } from '@endcap/storage/http'
import type { CampaignRecord } from '../domain/campaign.js'
import { listingProblems } from '../domain/campaign.js'
import { lockCampaign } from '../store/campaigns.js'
import { ownListingIds } from '../store/listings.js'

/** @throws validation_failed with all the problems, when there are any */
export function refuseIfAny(problems: readonly FieldError[]): void {
  if (problems.length > 0) throw new EndcapError('validation_failed', 'the campaign is not valid', problems)
}

/** What is wrong with the listings that a campaign of this merchant names. */
export const problemsOfListings = async (
  tx: Transaction,
  merchantId: string,
  listings: readonly string[],
): Promise<readonly FieldError[]> => listingProblems(listings, await ownListingIds(tx, merchantId, listings))

/** The campaign, held against other writers. @throws not_found when it does not exist or belongs to somebody else */
export async function lockVisibleCampaign(
  tx: Transaction,
  caller: Caller,
  id: string,
): Promise<CampaignRecord> {
  const campaign = await lockCampaign(tx, id)
  if (!campaign || !caller.mayActFor(campaign.merchantId)) throw notFound('campaign')
  return campaign
}
