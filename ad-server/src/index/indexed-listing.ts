import type { ByteReader, ByteWriter } from '@endcap/contracts'
import { type ListingState, listingState, microsToFloat, printListing } from '@endcap/contracts'
import { type RankedListing, termHashesOf } from '@endcap/ranking'
import type { Point } from '../domain/geo.js'
import type { Merchants } from './merchants.js'
import type { Interned } from './packed/interned.js'
import type { Identified } from './packed/recent-by-id.js'
import { restOf } from './rest.js'

/** What listings name by number. */
export interface ListingShelves {
  readonly merchants: Merchants
  readonly interned: Interned
}

/** What no request needs of a listing but the one that leads to it. */
export interface ListingTexts {
  readonly title: string
  readonly url: string
  /** Fields that this version does not know, as JSON; '' without any. */
  readonly rest: string
}

/** Where a listing finds its texts when it is asked for them. */
export interface TextsOfListings {
  textsOf(number: number): ListingTexts
}

/**
 * Writes a listing as `IndexedListing` reads it; behind it the hashes of the terms of its title, which come with the record since finding
 * them takes longer than all else, and its texts, which are read when somebody asks for them.
 */
export function writeListing(
  writer: ByteWriter,
  state: ListingState,
  sequence: number,
  { merchants, interned }: ListingShelves,
): ByteWriter {
  writer
    .natural(sequence)
    .natural(merchants.take(state.merchantId).number)
    .natural(interned.take(state.categories))
    .natural(interned.take(state.currency))
    .big(BigInt(state.priceMicros))
    .flag(state.status === 'active')
    .whole(state.version)
    .flag(state.location !== null)
  if (state.location) writer.double(state.location.lat).double(state.location.lng)
  const terms = termHashesOf(state.title)
  writer.natural(terms.length)
  for (const term of terms) writer.word(term)
  const rest = restOf(state, FIELDS)
  return writer
    .text(state.title)
    .text(state.url)
    .text(rest ? JSON.stringify(rest) : '')
}

/** The hashes of the terms of its title: after the listing. */
export const titleTermsIn = (reader: ByteReader): number[] => reader.list(() => reader.word())

/** After the title terms. */
export const textsIn = (reader: ByteReader): ListingTexts => ({
  title: reader.text(),
  url: reader.text(),
  rest: reader.text(),
})

const FIELDS: ReadonlySet<string> = new Set(Object.keys(listingState.shape))

/** A listing as serving needs it, made from its record when a request or an ad first asks for it. */
export class IndexedListing implements RankedListing, Identified {
  readonly sequence: number
  readonly merchantId: string
  readonly categories: readonly string[]
  readonly priceMicros: bigint
  readonly currency: string
  readonly location: Point | undefined
  readonly active: boolean
  readonly version: number
  facts: RankedListing['facts'] = undefined
  factsAt = 0
  place = -1
  usedIn = -1
  /** The feed has brought a newer state: ask for the listing anew. */
  isOutdated = false
  /** The last slate that it is in, and its row there. */
  slate = 0
  slateRow = 0
  private inTokens: string | undefined = undefined

  /** Leaves `reader` where its title terms begin. */
  constructor(
    private readonly number: number,
    readonly id: string,
    reader: ByteReader,
    { merchants, interned }: ListingShelves,
    private readonly texts: TextsOfListings,
  ) {
    this.sequence = reader.natural()
    this.merchantId = merchants.at(reader.natural()).id
    this.categories = interned.at(reader.natural())
    this.currency = interned.at(reader.natural())
    this.priceMicros = reader.big()
    this.active = reader.flag()
    this.version = reader.whole()
    this.location = reader.flag() ? { lat: reader.double(), lng: reader.double() } : undefined
  }

  get title(): string {
    return this.texts.textsOf(this.number).title
  }

  get url(): string {
    return this.texts.textsOf(this.number).url
  }

  get price(): number {
    return microsToFloat(this.priceMicros)
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
    const { title, url, rest } = this.texts.textsOf(this.number)
    return {
      id: this.id,
      merchantId: this.merchantId,
      title,
      url,
      categories: [...this.categories],
      priceMicros: this.priceMicros.toString(),
      currency: this.currency,
      location: this.location ?? null,
      status: this.active ? 'active' : 'inactive',
      version: this.version,
      ...(rest !== '' && JSON.parse(rest)),
    }
  }
}
