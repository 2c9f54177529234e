import type { ChangeData, ListingState } from '@endcap/contracts'
import { ByteReader, ByteWriter } from '@endcap/contracts'
import { FACT_ROW, type FactPage, factPage, forgetFacts, layDownFacts } from '@endcap/ranking'
import {
  IndexedListing,
  type ListingShelves,
  type ListingTexts,
  type TextsOfListings,
  textsIn,
  titleTermsIn,
  writeListing,
} from './indexed-listing.js'
import { Names } from './packed/names.js'
import { RecentById } from './packed/recent-by-id.js'
import { Records } from './packed/records.js'

/** Rows of a page of facts. */
const FACT_ROWS = 512

/** All listings that ads or changes name: kept as bytes, made into objects when they are asked for. */
export class Listings implements TextsOfListings {
  private readonly ids = new Names()
  private readonly records = new Records()
  private readonly ready: RecentById<IndexedListing>
  /** By place in `ready`: what ranking keeps of the listing there. */
  private readonly factPages: FactPage[] = []
  private readonly reader = new ByteReader()
  private readonly writer = new ByteWriter()
  private count = 0

  constructor(
    private readonly shelves: ListingShelves,
    ready: number,
  ) {
    this.ready = new RecentById<IndexedListing>(ready, forgetFacts)
  }

  /** While it stays the same, what `get` gave since is still what it gives, unless it says that it is outdated. */
  get turn(): number {
    return this.ready.turn
  }

  /** How many are known, not only named. */
  get size(): number {
    return this.count
  }

  /** The number of a listing, known or not. */
  take(id: string): number {
    return this.ids.take(id)
  }

  idOf(number: number): string {
    return this.ids.nameOf(number)
  }

  /** The same object as long as it is in use: until `ready` others were asked for, or the listing changes. */
  get(id: string): IndexedListing | undefined {
    const found = this.ready.get(id)
    if (found) return found
    const number = this.ids.numberOf(id)
    if (number === undefined || !this.records.has(number)) return undefined
    const listing = this.ready.add(this.made(number, id))
    const { place } = listing
    while (this.factPages.length <= place / FACT_ROWS) this.factPages.push(factPage(FACT_ROWS))
    const page = this.factPages[Math.floor(place / FACT_ROWS)]!
    layDownFacts(listing, titleTermsIn(this.reader), page, (place % FACT_ROWS) * FACT_ROW)
    return listing
  }

  /** What `get` gives for each id. */
  getAll(ids: readonly string[]): (IndexedListing | undefined)[] {
    const found = this.ready.getAll(ids)
    for (let nth = 0; nth < ids.length; nth++) found[nth] ??= this.get(ids[nth]!)
    return found
  }

  sequenceOf(number: number): number | undefined {
    return this.records.has(number) ? this.records.read(number, this.reader).natural() : undefined
  }

  set(number: number, state: ListingState, sequence: number): void {
    if (!this.records.has(number)) this.count++
    this.records.set(number, writeListing(this.writer.clear(), state, sequence, this.shelves))
    const before = this.ready.get(state.id)
    if (!before) return
    before.isOutdated = true
    this.ready.delete(state.id)
  }

  *dump(): Generator<ChangeData> {
    for (let number = 0; number < this.ids.size; number++) {
      if (!this.records.has(number)) continue
      const id = this.ids.nameOf(number)
      const listing = this.made(number, id)
      yield { kind: 'listing', id, sequence: String(listing.sequence), state: listing.toState() }
    }
  }

  textsOf(number: number): ListingTexts {
    this.made(number, '')
    titleTermsIn(this.reader)
    return textsIn(this.reader)
  }

  /** Leaves `reader` where the listing's title terms begin. */
  private made(number: number, id: string): IndexedListing {
    return new IndexedListing(number, id, this.records.read(number, this.reader), this.shelves, this)
  }
}
