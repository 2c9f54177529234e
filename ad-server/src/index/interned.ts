import type { CampaignState } from '@endcap/contracts'

/**
 * Texts and lists that many entities say alike, kept in memory once: of a million ads most have one of a few hundred lists of
 * categories, and the same hours, placements and devices as others.
 */
export class Interned {
  private readonly lists = new Map<string, string[]>()
  private readonly values = new Map<string, unknown>()

  /** An equal list of texts that was met before, else this one. */
  texts(list: string[]): string[] {
    // Parted by what no text of an entity holds.
    return once(this.lists, list.join('\0'), list)
  }

  /**
   * The same campaign with its ads as the index holds them and with lists that others have too. Written field by field: an object made
   * this way takes half the memory of one that grew.
   */
  campaign(
    state: CampaignState,
    merchantId: string,
    ads: readonly { readonly id: string; readonly listingId: string }[],
  ): CampaignState {
    const compact: CampaignState = {
      id: state.id,
      merchantId,
      name: state.name,
      status: state.status,
      pricing: state.pricing,
      bidMicros: state.bidMicros,
      budgetDailyMicros: state.budgetDailyMicros,
      budgetWeeklyMicros: state.budgetWeeklyMicros,
      budgetMonthlyMicros: state.budgetMonthlyMicros,
      budgetTotalMicros: state.budgetTotalMicros,
      startsAt: state.startsAt,
      endsAt: state.endsAt,
      timeZone: state.timeZone,
      dayparts: this.value(state.dayparts),
      pacing: state.pacing,
      targeting: this.targeting(state.targeting),
      placements: this.texts(state.placements),
      targetRoas: state.targetRoas,
      frequencyCap: this.value(state.frequencyCap),
      ads: ads as CampaignState['ads'],
      version: state.version,
    }
    return withRest(compact, state)
  }

  private targeting(targeting: CampaignState['targeting']): CampaignState['targeting'] {
    const { keywords, items, locations, listingRadiusKm } = targeting
    const compact: CampaignState['targeting'] = {
      keywords: keywords.length === 0 ? NONE : keywords.map((keyword) => this.keyword(keyword)),
      categories: this.texts(targeting.categories),
      locations: locations.length === 0 ? NONE : locations,
      items: items.length === 0 ? NONE : items,
      devices: this.texts(targeting.devices),
      listingRadiusKm,
    }
    // Without what is each campaign's own, whole targetings are alike.
    const isCommon = keywords.length + items.length + locations.length === 0
    return isCommon ? this.value(withRest(compact, targeting)) : withRest(compact, targeting)
  }

  private keyword(state: KeywordState): KeywordState {
    const { text, match, negative } = state
    return withRest({ text, match, negative }, state)
  }

  private value<T>(value: T): T {
    return once(this.values, JSON.stringify(value), value) as T
  }
}

type KeywordState = CampaignState['targeting']['keywords'][number]
const NONE: never[] = []

function once<T>(known: Map<string, T>, key: string, value: T): T {
  const found = known.get(key)
  if (found !== undefined) return found
  known.set(key, value)
  return value
}

/** Fields that this version does not know are kept. */
function withRest<T extends { [field: string]: unknown }>(compact: T, state: T): T {
  for (const field in state) if (!(field in compact)) compact[field] = state[field]
  return compact
}

/** The state as the change feed carries it: its ads are the index's own. */
export const plainState = (state: CampaignState): CampaignState => ({
  ...state,
  ads: state.ads.map(({ id, listingId }) => ({ id, listingId })),
})
