import { createRulebook, type Rulebook } from '@endcap/auction'
import {
  type ApiKeyState,
  type CampaignState,
  type ChangeData,
  DEFAULT_RULES_STATE,
  type ListingState,
  type MerchantState,
  RULES_ID,
  type RulesState,
} from '@endcap/contracts'
import { Accounts } from '../budgets/accounts.js'
import type { Point } from '../domain/geo.js'
import { cellsOfCircle, EVERYWHERE } from '../domain/geo-cells.js'
import { Blocklist } from './blocklist.js'
import { Campaigns } from './campaigns.js'
import type { IndexedCampaign } from './indexed-campaign.js'
import type { IndexedListing } from './indexed-listing.js'
import { meets } from './keyword.js'
import { Keywords } from './keywords.js'
import { Listings } from './listings.js'
import { Merchants } from './merchants.js'
import { NONE } from './packed/hash-chains.js'
import { Interned } from './packed/interned.js'
import { type RetrievalQuery, TargetingIndex } from './targeting-index.js'

interface IndexedKey {
  readonly sequence: number
  readonly state: ApiKeyState
}

export interface Match {
  readonly campaign: IndexedCampaign
  /** The keyword that met the query; '' when category, item or the lack of targeting did. */
  readonly keyword: string
  /** A negative keyword met the query: the campaign must not be shown. */
  readonly excluded: boolean
}

/**
 * Everything serving knows about merchants, listings, campaigns and API keys, in memory, kept current by the change feed.
 * Whichever order changes come in, and however often, the last one of each entity by its `sequence` holds.
 */
export class AdIndex {
  private readonly merchants: Merchants
  private readonly listings: Listings
  private readonly keywords = new Keywords()
  private readonly campaignList: Campaigns
  private readonly targeting = new TargetingIndex(this.keywords)
  private readonly keysByHash = new Map<string, IndexedKey>()
  private readonly keyHashById = new Map<string, string>()
  /** Campaigns whose cells follow from where their listings are, by listing. */
  private readonly nearListing = new Map<string, number[]>()

  // One mark a campaign, so that a request collects each once without a set of its own.
  private mark = 0
  private matchedAt = new Float64Array(64)

  private rulesEntry: { readonly sequence: number; readonly state: RulesState } | undefined
  private currentRulebook = createRulebook(DEFAULT_RULES_STATE)
  private blocked = new Blocklist(DEFAULT_RULES_STATE.blocked)
  private merchantCount = 0
  private changeCount = 0

  /**
   * @param accounts where campaigns find what they may spend
   * @param ready campaigns, and listings, that are held as objects: twice as many at most. More than any request meets.
   */
  constructor(accounts = new Accounts(), ready = READY) {
    const interned = new Interned()
    const merchants = new Merchants(accounts)
    const { keywords } = this
    this.merchants = merchants
    this.listings = new Listings({ merchants, interned }, ready)
    const { listings } = this
    this.campaignList = new Campaigns({ accounts, merchants, listings, keywords, interned }, ready)
  }

  /** How many changes were taken in; grows whenever the index is no longer what it was. */
  get changes(): number {
    return this.changeCount
  }

  get size(): {
    readonly merchants: number
    readonly listings: number
    readonly campaigns: number
    readonly ads: number
    readonly keys: number
  } {
    return {
      merchants: this.merchantCount,
      listings: this.listings.size,
      campaigns: this.campaignList.size,
      ads: this.campaignList.ads,
      keys: this.keysByHash.size,
    }
  }

  /** Takes in a change; false when the index already holds this one or a later one of the same entity. */
  apply(change: ChangeData): boolean {
    // Positions in an outbox: far below 2^53.
    const sequence = Number(change.sequence)
    switch (change.kind) {
      case 'merchant': {
        const entry = this.merchants.take(change.id)
        if (isKnown(entry.current?.sequence, sequence)) return false
        if (!entry.current) this.merchantCount++
        entry.current = { sequence, state: change.state }
        break
      }
      case 'listing': {
        const number = this.listings.take(change.id)
        if (isKnown(this.listings.sequenceOf(number), sequence)) return false
        this.replaceListing(number, change.state, sequence)
        break
      }
      case 'campaign': {
        const known = this.campaignList.numberOf(change.id)
        if (known !== undefined && isKnown(this.campaignList.sequenceOf(known), sequence)) return false
        this.replaceCampaign(known, change.state, sequence)
        break
      }
      case 'rules': {
        if (isKnown(this.rulesEntry?.sequence, sequence)) return false
        this.replaceRules(change.state, sequence)
        break
      }
      case 'api_key': {
        const knownHash = this.keyHashById.get(change.id)
        if (knownHash !== undefined && isKnown(this.keysByHash.get(knownHash)?.sequence, sequence))
          return false
        if (knownHash !== undefined) this.keysByHash.delete(knownHash)
        this.keyHashById.set(change.id, change.state.hash)
        this.keysByHash.set(change.state.hash, { sequence, state: change.state })
        break
      }
    }
    this.changeCount++
    return true
  }

  /** As the operator last laid them down. */
  get rules(): RulesState {
    return this.rulesEntry?.state ?? DEFAULT_RULES_STATE
  }

  /** Reserves and limits of the same rules, read once. */
  get rulebook(): Rulebook {
    return this.currentRulebook
  }

  /** What the operator has blocked by category and term; a blocked merchant's entry says so itself. */
  get blocklist(): Blocklist {
    return this.blocked
  }

  merchant(id: string): MerchantState | undefined {
    return this.merchants.get(id)?.current?.state
  }

  listing(id: string): IndexedListing | undefined {
    return this.listings.get(id)
  }

  listingsOf(ids: readonly string[]): (IndexedListing | undefined)[] {
    return this.listings.getAll(ids)
  }

  campaign(id: string): IndexedCampaign | undefined {
    const number = this.campaignList.numberOf(id)
    return number === undefined ? undefined : this.campaignList.at(number)
  }

  *campaigns(): Generator<IndexedCampaign> {
    for (let number = 0; number < this.campaignList.size; number++) yield this.campaignList.at(number)
  }

  /** By the SHA-256 of the key, hex. */
  keyByHash(hash: string): ApiKeyState | undefined {
    return this.keysByHash.get(hash)?.state
  }

  /**
   * The campaigns that a request may show: those with a keyword, category or item that meets it, and those that name
   * none of the three; of campaigns with places, those that have one near the request. Each once. Whether they may serve now, and
   * whether the place is near enough, is the filter's question.
   */
  retrieve(query: RetrievalQuery): Match[] {
    const mark = ++this.mark
    const matches: Match[] = []
    const terms = this.keywords.read(query.terms)
    let last = NONE
    let text = ''
    this.targeting.visit(terms, query, (number, keyword) => {
      if (this.matchedAt[number] === mark) return
      this.matchedAt[number] = mark
      const campaign = this.campaignList.at(number)
      const { negatives } = campaign
      const excluded = negatives.length > 0 && negatives.some((negative) => meets(negative, terms))
      // Campaigns with the same keyword come one after the other.
      if (keyword !== last) text = keyword === NONE ? '' : this.keywords.textOf(keyword)
      last = keyword
      matches.push({ campaign, keyword: text, excluded })
    })
    return matches
  }

  /** Every entity as the change that would bring it here, for a copy on disk. */
  *dump(): Generator<ChangeData> {
    for (const { id, current } of this.merchants.all()) {
      if (current) yield { kind: 'merchant', id, sequence: current.sequence.toString(), state: current.state }
    }
    yield* this.listings.dump()
    yield* this.campaignList.dump()
    if (this.rulesEntry) {
      const { sequence, state } = this.rulesEntry
      yield { kind: 'rules', id: RULES_ID, sequence: sequence.toString(), state }
    }
    for (const { sequence, state } of this.keysByHash.values()) {
      yield { kind: 'api_key', id: state.id, sequence: sequence.toString(), state }
    }
  }

  private replaceListing(number: number, state: ListingState, sequence: number): void {
    const watching = this.nearListing.get(state.id)
    const before = watching && this.listings.get(state.id)?.location
    this.listings.set(number, state, sequence)
    if (!watching || isSamePoint(before, state.location ?? undefined)) return
    for (const campaign of watching) {
      const { targeting, ads } = this.campaignList.stateOf(campaign)
      const keywords = this.campaignList.at(campaign).keywords.map((use) => use.number)
      this.targeting.unfile(campaign)
      this.file(campaign, keywords, targeting, ads)
    }
  }

  private replaceRules(state: RulesState, sequence: number): void {
    for (const id of this.rules.blocked.merchants) this.merchants.take(id).blocked = false
    for (const id of state.blocked.merchants) this.merchants.take(id).blocked = true
    this.rulesEntry = { sequence, state }
    this.currentRulebook = createRulebook(state)
    this.blocked = new Blocklist(state.blocked)
  }

  private replaceCampaign(known: number | undefined, state: CampaignState, sequence: number): void {
    const { targeting, ads } = state
    if (known !== undefined) {
      this.targeting.unfile(known)
      const before = this.campaignList.stateOf(known)
      this.watchListings(known, before.targeting, before.ads, false)
    }
    const { number, keywords } = this.campaignList.set(state, sequence)
    this.makeRoomFor(number)
    // Archived is final: it can match nothing any more. It stays known by id, so that an older change cannot bring it back.
    if (state.status === 'archived') return
    this.file(number, keywords, targeting, ads)
    this.watchListings(number, targeting, ads, true)
  }

  /** Makes a campaign findable; `keywords`: numbers of those of its targeting. */
  private file(campaign: number, keywords: readonly number[], targeting: Targeting, ads: Ads): void {
    const { categories, items } = targeting
    const wanted = keywords.filter((_, at) => !targeting.keywords[at]!.negative)
    this.targeting.file(campaign, { keywords: wanted, categories, items }, this.cellsOf(targeting, ads))
  }

  /**
   * The cells that hold all places where a campaign may be shown: around its own places, else around those of its listings that are
   * known and somewhere. The filter then measures the distance.
   */
  private cellsOf({ locations, listingRadiusKm }: Targeting, ads: Ads): readonly number[] {
    if (locations.length > 0) return [...new Set(locations.flatMap(cellsOfCircle))]
    if (listingRadiusKm === null) return PLACELESS
    const places = ads.flatMap(({ listingId }) => this.listings.get(listingId)?.location ?? [])
    return [...new Set(places.flatMap((place) => cellsOfCircle({ ...place, radiusKm: listingRadiusKm })))]
  }

  /** Begins or ends to file a campaign anew whenever one of its listings is somewhere else. */
  private watchListings(campaign: number, targeting: Targeting, ads: Ads, begin: boolean): void {
    if (targeting.listingRadiusKm === null || targeting.locations.length > 0) return
    for (const { listingId } of ads) {
      const watching = (this.nearListing.get(listingId) ?? []).filter((other) => other !== campaign)
      if (begin) watching.push(campaign)
      if (watching.length > 0) this.nearListing.set(listingId, watching)
      else this.nearListing.delete(listingId)
    }
  }

  private makeRoomFor(campaign: number): void {
    if (campaign < this.matchedAt.length) return
    this.matchedAt = grown(this.matchedAt, campaign)
  }
}

type Targeting = CampaignState['targeting']
type Ads = CampaignState['ads']

const READY = 131_072
const PLACELESS: readonly number[] = [EVERYWHERE]

const isSamePoint = (a: Point | undefined, b: Point | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.lat === b.lat && a.lng === b.lng)

const isKnown = (known: number | undefined, sequence: number): boolean =>
  known !== undefined && known >= sequence

function grown(marks: Float64Array<ArrayBuffer>, slot: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(marks.length * 2, slot + 1))
  larger.set(marks)
  return larger
}
