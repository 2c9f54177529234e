import type { StateStore } from '@endcap/platform/state-store'
import type { AdIndex, IndexedCampaign, Match } from '../index/ad-index.js'

const HOUR_MS = 3_600_000

const keyOf = (campaignId: string, customerHash: string): string =>
  `endcap:seen:${campaignId}:${customerHash}`

export interface FrequencyCaps {
  /** Which of the matched campaigns this customer has seen often enough; campaigns without a cap cost no look-up. */
  cappedOf(matches: readonly Match[], customerHash: string, nowMs: number): Promise<ReadonlySet<string>>
  /** Remembers one impression. */
  seen(campaignId: string, customerHash: string, slot: string, nowMs: number): Promise<void>
}

const NONE: ReadonlySet<string> = new Set()

/** Counts impressions per campaign and customer in sliding windows of the state store; without a customer there is nothing to cap. */
export function createFrequencyCaps(state: StateStore, index: AdIndex): FrequencyCaps {
  return {
    async cappedOf(matches, customerHash, nowMs) {
      if (customerHash === '') return NONE
      const capped = matches.filter(({ campaign }) => campaign.frequencyCap !== null)
      if (capped.length === 0) return NONE
      const counts = await Promise.all(
        capped.map(({ campaign }) =>
          state.windowCount(keyOf(campaign.id, customerHash), nowMs, windowOf(campaign)),
        ),
      )
      return new Set(
        capped
          .filter(({ campaign }, i) => counts[i]! >= campaign.state.frequencyCap!.impressions)
          .map(({ campaign }) => campaign.id),
      )
    },
    async seen(campaignId, customerHash, slot, nowMs) {
      const campaign = index.campaign(campaignId)
      const cap = campaign?.state.frequencyCap
      if (!campaign || !cap || customerHash === '') return
      await state.windowAdd(keyOf(campaignId, customerHash), slot, nowMs, windowOf(campaign), cap.impressions)
    },
  }
}

const windowOf = (campaign: IndexedCampaign): number => (campaign.state.frequencyCap?.perHours ?? 0) * HOUR_MS
