import type { FrequencyCapState } from '@endcap/contracts'
import type { StateStore } from '@endcap/platform/state-store'
import type { AdIndex, Match } from '../index/ad-index.js'

const HOUR_MS = 3_600_000
const WINDOWS = [
  ['hour', HOUR_MS],
  ['day', 24 * HOUR_MS],
  ['week', 168 * HOUR_MS],
] as const

/** What a customer has seen often enough. */
export interface Capped {
  readonly campaigns: ReadonlySet<string>
  readonly merchants: ReadonlySet<string>
}

export interface FrequencyCaps {
  /**
   * Which of the matched campaigns, and which of their merchants, this customer has seen often enough. Without a customer nothing is
   * capped; what has no cap costs no look-up.
   */
  cappedOf(matches: readonly Match[], customerHash: string, nowMs: number): Promise<Capped>
  /** Remembers one impression. */
  seen(campaignId: string, customerHash: string, slot: string, nowMs: number): Promise<void>
}

const NOBODY: ReadonlySet<string> = new Set()
export const NOTHING_CAPPED: Capped = { campaigns: NOBODY, merchants: NOBODY }

/**
 * Counts impressions per customer in sliding windows of the state store: of a campaign by its own cap, of all campaigns of a merchant by
 * the operator's. Only customers who consented come here at all.
 */
export function createFrequencyCaps(state: StateStore, index: AdIndex): FrequencyCaps {
  async function overCap(key: string, cap: FrequencyCapState, nowMs: number): Promise<boolean> {
    const over = await Promise.all(
      windowsOf(cap).map(async ({ ms, atMost }) => (await state.windowCount(key, nowMs, ms)) >= atMost),
    )
    return over.includes(true)
  }

  async function cappedMerchants(
    matches: readonly Match[],
    customerHash: string,
    nowMs: number,
  ): Promise<ReadonlySet<string>> {
    const cap = index.rules.merchantFrequencyCap
    if (!cap) return NOBODY
    const merchants = [...new Set(matches.map(({ campaign }) => campaign.merchantId))]
    const over = await Promise.all(merchants.map((id) => overCap(merchantKey(id, customerHash), cap, nowMs)))
    return new Set(merchants.filter((_, i) => over[i]))
  }

  async function cappedCampaigns(
    matches: readonly Match[],
    customerHash: string,
    nowMs: number,
  ): Promise<ReadonlySet<string>> {
    const withCap = matches.filter(({ campaign }) => campaign.frequencyCap !== null)
    if (withCap.length === 0) return NOBODY
    const over = await Promise.all(
      withCap.map(({ campaign }) =>
        overCap(campaignKey(campaign.id, customerHash), campaign.frequencyCap!, nowMs),
      ),
    )
    return new Set(withCap.filter((_, i) => over[i]).map(({ campaign }) => campaign.id))
  }

  async function count(key: string, cap: FrequencyCapState | null | undefined, slot: string, nowMs: number) {
    if (!cap) return
    const windows = windowsOf(cap)
    const longestMs = Math.max(...windows.map(({ ms }) => ms))
    const most = Math.max(...windows.map(({ atMost }) => atMost))
    await state.windowAdd(key, slot, nowMs, longestMs, most)
  }

  return {
    async cappedOf(matches, customerHash, nowMs) {
      if (customerHash === '') return NOTHING_CAPPED
      const [campaigns, merchants] = await Promise.all([
        cappedCampaigns(matches, customerHash, nowMs),
        cappedMerchants(matches, customerHash, nowMs),
      ])
      return { campaigns, merchants }
    },
    async seen(campaignId, customerHash, slot, nowMs) {
      const campaign = index.campaign(campaignId)
      if (!campaign || customerHash === '') return
      await Promise.all([
        count(campaignKey(campaignId, customerHash), campaign.frequencyCap, slot, nowMs),
        count(merchantKey(campaign.merchantId, customerHash), index.rules.merchantFrequencyCap, slot, nowMs),
      ])
    },
  }
}

const campaignKey = (id: string, customerHash: string): string => `endcap:seen:${id}:${customerHash}`
const merchantKey = (id: string, customerHash: string): string =>
  `endcap:seen-of-merchant:${id}:${customerHash}`

const windowsOf = (cap: FrequencyCapState) =>
  WINDOWS.flatMap(([name, ms]) => {
    const atMost = cap[name]
    return atMost === undefined ? [] : [{ ms, atMost }]
  })
