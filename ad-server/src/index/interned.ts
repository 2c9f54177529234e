import type { CampaignState } from '@endcap/contracts'
import type { Keyword } from './keyword.js'

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

  /** The same campaign with what others share: its keywords and ads as the index holds them, and lists that are mostly equal. */
  campaign(
    state: CampaignState,
    merchantId: string,
    keywords: readonly Keyword[],
    ads: readonly { readonly id: string; readonly listingId: string }[],
  ): CampaignState {
    const { targeting } = state
    const { items, locations } = targeting
    const shared = {
      ...targeting,
      keywords: keywords as Keyword[],
      categories: this.texts(targeting.categories),
      devices: this.texts(targeting.devices),
    }
    // Without what is each campaign's own, whole targetings are alike.
    const isCommon = keywords.length + items.length + locations.length === 0
    return {
      ...state,
      merchantId,
      dayparts: this.value(state.dayparts),
      placements: this.texts(state.placements),
      frequencyCap: this.value(state.frequencyCap),
      targeting: isCommon ? this.value(shared) : shared,
      ads: ads as CampaignState['ads'],
    }
  }

  private value<T>(value: T): T {
    return once(this.values, JSON.stringify(value), value) as T
  }
}

function once<T>(known: Map<string, T>, key: string, value: T): T {
  const found = known.get(key)
  if (found !== undefined) return found
  known.set(key, value)
  return value
}

/** The state without what the index has put into it, as the change feed carries it. */
export const plainState = (state: CampaignState): CampaignState => ({
  ...state,
  targeting: {
    ...state.targeting,
    keywords: state.targeting.keywords.map(({ text, match, negative }) => ({ text, match, negative })),
  },
  ads: state.ads.map(({ id, listingId }) => ({ id, listingId })),
})
