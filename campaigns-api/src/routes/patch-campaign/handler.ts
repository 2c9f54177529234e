import { isDeepStrictEqual } from 'node:util'
import { type Campaign, EndcapError, type PatchCampaignBody } from '@endcap/contracts'
import type { Caller } from '@endcap/platform/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { campaignStateOf, changedSettings, settingsProblems } from '../../domain/campaign.js'
import { findAds, setAds, updateCampaign } from '../../store/campaigns.js'
import { lockVisibleCampaign, problemsOfListings, refuseIfAny } from '../campaign-checks.js'
import { presentCampaign } from '../present-campaigns.js'
import { recordChanges } from '../record-changes.js'

/**
 * Changes a campaign's settings and listings; a change that changes nothing writes nothing.
 * @throws conflict when the campaign is archived
 */
export async function changeCampaign(
  deps: CampaignsApiDeps,
  caller: Caller,
  id: string,
  body: PatchCampaignBody,
): Promise<Campaign> {
  return deps.postgres.transaction(async (tx) => {
    const before = await lockVisibleCampaign(tx, caller, id)
    if (before.status === 'archived')
      throw new EndcapError('conflict', 'an archived campaign cannot be changed')
    const changed = { ...before, ...changedSettings(before, body) }
    const listingProblems = body.listings
      ? await problemsOfListings(tx, before.merchantId, body.listings)
      : []
    refuseIfAny([...settingsProblems(changed), ...listingProblems])

    const now = new Date(deps.clock())
    const present = (await findAds(tx, [id])).get(id)!.map((ad) => ad.listingId)
    const listings = body.listings ?? present
    const sameListings =
      listings.length === present.length && new Set([...listings, ...present]).size === present.length
    if (sameListings && isDeepStrictEqual(changed, before)) return presentCampaign(tx, before, now.getTime())

    const after = { ...changed, version: before.version + 1, updatedAt: now }
    await updateCampaign(tx, after)
    if (!sameListings) {
      const ads = listings.map((listingId) => ({ id: deps.ids('ad'), listingId }))
      await setAds(tx, id, ads, now)
    }
    const answer = await presentCampaign(tx, after, now.getTime())
    await recordChanges(tx, deps, now, [{ kind: 'campaign', id, state: campaignStateOf(after, answer.ads) }])
    return answer
  })
}
