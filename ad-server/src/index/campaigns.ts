import type { CampaignState, ChangeData } from '@endcap/contracts'
import { ByteReader, ByteWriter } from '@endcap/contracts'
import {
  type CampaignShelves,
  IndexedCampaign,
  readCampaignState,
  writeCampaign,
} from './indexed-campaign.js'
import { Names } from './packed/names.js'
import { RecentByNumber } from './packed/recent-by-number.js'
import { Records } from './packed/records.js'

/** All campaigns, by number: kept as bytes, made into objects when a request meets them. */
export class Campaigns {
  private readonly ids = new Names()
  private readonly records = new Records()
  private readonly ready: RecentByNumber<IndexedCampaign>
  private readonly reader = new ByteReader()
  private readonly writer = new ByteWriter()
  private adCount = 0

  constructor(
    private readonly shelves: CampaignShelves,
    ready: number,
  ) {
    this.ready = new RecentByNumber(ready)
  }

  get size(): number {
    return this.ids.size
  }

  /** How many ads all campaigns have together. */
  get ads(): number {
    return this.adCount
  }

  numberOf(id: string): number | undefined {
    return this.ids.numberOf(id)
  }

  /** The campaign of a number that was given. */
  at(number: number): IndexedCampaign {
    return this.ready.get(number) ?? this.ready.add(this.made(number))
  }

  sequenceOf(number: number): number {
    return this.records.read(number, this.reader).natural()
  }

  stateOf(number: number): CampaignState {
    const id = this.ids.nameOf(number)
    return readCampaignState(number, id, this.records.read(number, this.reader), this.shelves)
  }

  /** Takes in a state; gives the numbers of the campaign and of its keywords, in their order. */
  set(
    state: CampaignState,
    sequence: number,
  ): { readonly number: number; readonly keywords: readonly number[] } {
    const { keywords } = this.shelves
    const number = this.ids.take(state.id)
    const before = this.records.has(number) ? this.made(number) : undefined
    // The new ones are taken first: what both states use is not worked out again.
    const taken = state.targeting.keywords.map(({ text, match }) => keywords.take(text, match))
    for (const use of before?.keywords ?? []) keywords.release(use.number)
    this.adCount += state.ads.length - (before?.ads.length ?? 0)
    const written = writeCampaign(this.writer.clear(), state, { sequence, keywords: taken }, this.shelves)
    this.records.set(number, written)
    this.ready.delete(number)
    return { number, keywords: taken }
  }

  *dump(): Generator<ChangeData> {
    for (let number = 0; number < this.ids.size; number++) {
      const state = this.stateOf(number)
      yield { kind: 'campaign', id: state.id, sequence: String(this.sequenceOf(number)), state }
    }
  }

  private made(number: number): IndexedCampaign {
    const id = this.ids.nameOf(number)
    return new IndexedCampaign(number, id, this.records.read(number, this.reader), this.shelves)
  }
}
