import { type ListingState, microsToFloat, printListing } from '@endcap/contracts'
import type { RankedListing } from '@endcap/ranking'
import type { Point } from '../domain/geo.js'

/** What many listings say alike, or the index holds anyway: kept in memory once. */
interface SharedTexts {
  readonly id: string
  readonly merchantId: string
  readonly categories: readonly string[]
}

/**
 * A listing as serving needs it. Its title is cut into terms only when a request first meets it: most listings of a large
 * catalog are rarely candidates.
 */
export class IndexedListing implements RankedListing {
  readonly id: string
  readonly merchantId: string
  readonly title: string
  readonly url: string
  readonly categories: readonly string[]
  readonly priceMicros: bigint
  readonly price: number
  readonly currency: string
  readonly location: Point | undefined
  readonly active: boolean
  readonly version: number
  facts: RankedListing['facts'] = undefined
  /** The last slate that it is in, and its row there. */
  slate = 0
  slateRow = 0
  private inTokens: string | undefined = undefined

  constructor(
    state: ListingState,
    readonly sequence: number,
    shared: SharedTexts,
  ) {
    this.id = shared.id
    this.merchantId = shared.merchantId
    this.title = state.title
    this.url = state.url
    this.categories = shared.categories
    this.priceMicros = BigInt(state.priceMicros)
    this.price = microsToFloat(this.priceMicros)
    this.currency = state.currency
    this.location = state.location ?? undefined
    this.active = state.status === 'active'
    this.version = state.version
  }

  /** As tokens carry it. */
  get printed(): string {
    this.inTokens ??= printListing({
      listingId: this.id,
      merchantId: this.merchantId,
      currency: this.currency,
    })
    return this.inTokens
  }

  toState(): ListingState {
    return {
      id: this.id,
      merchantId: this.merchantId,
      title: this.title,
      url: this.url,
      categories: [...this.categories],
      priceMicros: this.priceMicros.toString(),
      currency: this.currency,
      location: this.location ?? null,
      status: this.active ? 'active' : 'inactive',
      version: this.version,
    }
  }
}
