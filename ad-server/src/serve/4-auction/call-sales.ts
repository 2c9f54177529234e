import type { SlotLimit } from '@endcap/auction'
import type { Candidate } from '../candidate.js'
import type { CapsLeft } from '../frequency-caps.js'

/**
 * What the auctions of one call have sold to its customer: frequency caps hold for all of them together. An impression counts only once it
 * is seen, which is too late for the next slot of the same page.
 */
export class CallSales {
  private readonly byCampaign = new Map<string, number>()
  private readonly byMerchant = new Map<string, number>()

  /** Gives each candidate of an auction that is held now what caps still leave it. */
  limit(candidates: readonly Candidate[], left: CapsLeft): void {
    if (left.campaigns.size === 0 && left.merchants.size === 0) return
    const ofCampaign = limits(left.campaigns, this.byCampaign, 'frequency_cap')
    const ofMerchant = limits(left.merchants, this.byMerchant, 'merchant_frequency_cap')
    for (const candidate of candidates) {
      const shared = [ofCampaign(candidate.campaign.id), ofMerchant(candidate.merchantId)].filter(
        (limit) => limit !== undefined,
      )
      if (shared.length > 0) candidate.limits = shared
    }
  }

  sold({ campaign, merchantId }: Candidate): void {
    this.byCampaign.set(campaign.id, (this.byCampaign.get(campaign.id) ?? 0) + 1)
    this.byMerchant.set(merchantId, (this.byMerchant.get(merchantId) ?? 0) + 1)
  }
}

/** One limit for all that share it. */
function limits(
  left: ReadonlyMap<string, number>,
  sold: ReadonlyMap<string, number>,
  reason: SlotLimit['reason'],
): (id: string) => SlotLimit | undefined {
  const known = new Map<string, SlotLimit>()
  return (id) => {
    const most = left.get(id)
    if (most === undefined) return undefined
    let limit = known.get(id)
    if (!limit) {
      limit = { most: most - (sold.get(id) ?? 0), reason }
      known.set(id, limit)
    }
    return limit
  }
}
