import type { FrequencyCapState } from '@endcap/contracts'
import type { StateStore } from '@endcap/platform/state-store'
import type { AdIndex, Match } from '../index/ad-index.js'

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
      const asked = capped.flatMap(({ campaign }) =>
        windowsOf(campaign.frequencyCap).map((window) => ({ campaign, window })),
      )
      const counts = await Promise.all(
        asked.map(({ campaign, window }) =>
          state.windowCount(keyOf(campaign.id, customerHash), nowMs, window.ms),
        ),
      )
      return new Set(
        asked.filter(({ window }, i) => counts[i]! >= window.atMost).map(({ campaign }) => campaign.id),
      )
    },
    async seen(campaignId, customerHash, slot, nowMs) {
      const campaign = index.campaign(campaignId)
      const cap = campaign?.state.frequencyCap
      if (!cap || customerHash === '') return
      const windows = windowsOf(cap)
      const longestMs = Math.max(...windows.map(({ ms }) => ms))
      const most = Math.max(...windows.map(({ atMost }) => atMost))
      await state.windowAdd(keyOf(campaignId, customerHash), slot, nowMs, longestMs, most)
    },
  }
}

const WINDOWS = [
  ['hour', HOUR_MS],
  ['day', 24 * HOUR_MS],
  ['week', 168 * HOUR_MS],
] as const

const windowsOf = (cap: FrequencyCapState | null) =>
  WINDOWS.flatMap(([name, ms]) => {
    const atMost = cap?.[name]
    return atMost === undefined ? [] : [{ ms, atMost }]
  })
