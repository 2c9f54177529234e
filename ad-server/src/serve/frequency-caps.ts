import type { FrequencyCapState } from '@endcap/contracts'
import type { StateStore } from '@endcap/platform/state-store'
import type { AdIndex, Match } from '../index/ad-index.js'

const HOUR_MS = 3_600_000
const WINDOWS = [
  ['hour', HOUR_MS],
  ['day', 24 * HOUR_MS],
  ['week', 168 * HOUR_MS],
] as const

/** How many more impressions a customer may have, by campaign and by merchant; who is not named has no cap. */
export interface CapsLeft {
  readonly campaigns: ReadonlyMap<string, number>
  readonly merchants: ReadonlyMap<string, number>
}

export interface FrequencyCaps {
  /**
   * What their caps leave of the matched campaigns, and of their merchants, for this customer. Without a customer nothing is capped; what
   * has no cap costs no look-up.
   */
  leftOf(matches: readonly Match[], customerHash: string, nowMs: number): Promise<CapsLeft>
  /** Remembers one impression. */
  seen(campaignId: string, customerHash: string, slot: string, nowMs: number): Promise<void>
}

const NOBODY: ReadonlyMap<string, number> = new Map()
export const NOTHING_CAPPED: CapsLeft = { campaigns: NOBODY, merchants: NOBODY }

/**
 * Counts impressions per customer in sliding windows of the state store: of a campaign by its own cap, of all campaigns of a merchant by
 * the operator's. Only customers who consented come here at all.
 */
export function createFrequencyCaps(state: StateStore, index: AdIndex): FrequencyCaps {
  async function left(key: string, cap: FrequencyCapState, nowMs: number): Promise<number> {
    const ofWindows = await Promise.all(
      windowsOf(cap).map(async ({ ms, atMost }) => atMost - (await state.windowCount(key, nowMs, ms))),
    )
    return Math.max(0, Math.min(...ofWindows))
  }

  async function leftOfMerchants(
    matches: readonly Match[],
    customerHash: string,
    nowMs: number,
  ): Promise<ReadonlyMap<string, number>> {
    const cap = index.rules.merchantFrequencyCap
    if (!cap) return NOBODY
    const merchants = [...new Set(matches.map(({ campaign }) => campaign.merchantId))]
    return new Map(
      await Promise.all(
        merchants.map(async (id) => [id, await left(merchantKey(id, customerHash), cap, nowMs)] as const),
      ),
    )
  }

  async function leftOfCampaigns(
    matches: readonly Match[],
    customerHash: string,
    nowMs: number,
  ): Promise<ReadonlyMap<string, number>> {
    const withCap = matches.filter(({ campaign }) => campaign.frequencyCap !== null)
    if (withCap.length === 0) return NOBODY
    return new Map(
      await Promise.all(
        withCap.map(async ({ campaign: { id, frequencyCap } }) => {
          return [id, await left(campaignKey(id, customerHash), frequencyCap!, nowMs)] as const
        }),
      ),
    )
  }

  async function count(key: string, cap: FrequencyCapState | null | undefined, slot: string, nowMs: number) {
    if (!cap) return
    const windows = windowsOf(cap)
    const longestMs = Math.max(...windows.map(({ ms }) => ms))
    const most = Math.max(...windows.map(({ atMost }) => atMost))
    await state.windowAdd(key, slot, nowMs, longestMs, most)
  }

  return {
    async leftOf(matches, customerHash, nowMs) {
      if (customerHash === '') return NOTHING_CAPPED
      const [campaigns, merchants] = await Promise.all([
        leftOfCampaigns(matches, customerHash, nowMs),
        leftOfMerchants(matches, customerHash, nowMs),
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
