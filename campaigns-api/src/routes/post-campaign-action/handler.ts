import { type Campaign, EndcapError } from '@endcap/contracts'
import type { Caller } from '@endcap/platform/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { type CampaignAction, campaignStateOf, statusAfter } from '../../domain/campaign.js'
import { updateCampaign } from '../../store/campaigns.js'
import { lockVisibleCampaign } from '../campaign-checks.js'
import { presentCampaign } from '../present-campaigns.js'
import { recordChanges } from '../record-changes.js'

/**
 * Activates, pauses or archives a campaign; one that is there already stays and nothing is written.
 * @throws conflict when its status does not allow it
 */
export async function actOnCampaign(
  deps: CampaignsApiDeps,
  caller: Caller,
  id: string,
  action: CampaignAction,
): Promise<Campaign> {
  return deps.postgres.transaction(async (tx) => {
    const before = await lockVisibleCampaign(tx, caller, id)
    const status = statusAfter(before.status, action)
    if (status === undefined) {
      throw new EndcapError('conflict', `a campaign that is ${before.status} cannot take "${action}"`)
    }
    const now = new Date(deps.clock())
    if (status === before.status) return presentCampaign(tx, before, now.getTime())
    const after = { ...before, status, version: before.version + 1, updatedAt: now }
    await updateCampaign(tx, after)
    const answer = await presentCampaign(tx, after, now.getTime())
    await recordChanges(tx, deps, now, [{ kind: 'campaign', id, state: campaignStateOf(after, answer.ads) }])
    return answer
  })
}
