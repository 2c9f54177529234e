import { createRulebook, type Rulebook } from '@endcap/auction'
import {
  type ApiKeyState,
  type CampaignState,
  type ChangeData,
  DEFAULT_RULES_STATE,
  type ListingState,
  type MerchantState,
  type Pricing,
  printAd,
  RULES_ID,
  type RulesState,
} from '@endcap/contracts'
import { Accounts, type CampaignAccount, type WalletAccount } from '../budgets/accounts.js'
import type { Point } from '../domain/geo.js'
import { cellsOfCircle, EVERYWHERE } from '../domain/geo-cells.js'
import { Blocklist } from './blocklist.js'
import { IndexedListing } from './indexed-listing.js'
import { Interned, plainState } from './interned.js'
import { meets } from './keyword.js'
import { type Filed, type RetrievalQuery, TargetingIndex } from './targeting-index.js'

/** A campaign with what is read on every request already parsed. */
export interface IndexedCampaign {
  /** Its number in the postings. */
  readonly slot: number
  readonly id: string
  readonly merchantId: string
  readonly sequence: number
  readonly state: CampaignState
  readonly pricing: Pricing
  readonly bidMicros: bigint
  readonly budgetDailyMicros: bigint | undefined
  readonly budgetWeeklyMicros: bigint | undefined
  readonly budgetMonthlyMicros: bigint | undefined
  readonly budgetTotalMicros: bigint | undefined
  readonly startsAtMs: number
  readonly endsAtMs: number
  readonly active: boolean
  /** undefined: at all times; likewise below: everywhere, on every device. */
  readonly dayparts: CampaignState['dayparts'] | undefined
  readonly placements: CampaignState['placements'] | undefined
  readonly devices: readonly string[] | undefined
  readonly locations: CampaignState['targeting']['locations'] | undefined
  /** How near a request must be to the listing itself. */
  readonly listingRadiusKm: number | undefined
  readonly frequencyCap: CampaignState['frequencyCap']
  readonly merchant: MerchantEntry
  readonly ads: readonly IndexedAd[]
  readonly account: CampaignAccount
  readonly wallet: WalletAccount
}

/** A merchant that somebody has named; its state follows when the change feed brings it. */
export interface MerchantEntry {
  readonly id: string
  readonly current: { readonly sequence: number; readonly state: MerchantState } | undefined
  /** The operator keeps its ads from being shown. */
  readonly blocked: boolean
}

/** A listing that somebody has named; it follows when the change feed brings it. */
export interface ListingEntry {
  readonly id: string
  readonly current: IndexedListing | undefined
}

export class IndexedAd {
  private inTokens: string | undefined = undefined

  constructor(
    readonly id: string,
    private readonly campaignId: string,
    readonly listing: ListingEntry,
    private readonly merchant: MerchantEntry,
  ) {}

  get listingId(): string {
    return this.listing.id
  }

  /** As tokens carry it. */
  get printed(): string {
    this.inTokens ??= printAd({
      campaignId: this.campaignId,
      adId: this.id,
      merchantId: this.merchant.id,
      currency: this.merchant.current?.state.currency ?? '',
    })
    return this.inTokens
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** What the index keeps of a campaign beside what requests read. */
interface CampaignEntry extends IndexedCampaign {
  readonly filed: Filed
}

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
  private readonly merchants = new Map<string, Mutable<MerchantEntry>>()
  private readonly listings = new Map<string, Mutable<ListingEntry>>()
  private readonly campaignsById = new Map<string, CampaignEntry>()
  private readonly keysByHash = new Map<string, IndexedKey>()
  private readonly keyHashById = new Map<string, string>()

  private readonly slots: CampaignEntry[] = []
  private readonly targeting = new TargetingIndex()
  /** Campaigns whose cells follow from where their listings are, by listing. */
  private readonly nearListing = new Map<ListingEntry, CampaignEntry[]>()
  private readonly interned = new Interned()

  // One mark a campaign slot, so that a request collects each campaign once without a set of its own.
  private mark = 0
  private matchedAt = new Float64Array(64)

  private rulesEntry: { readonly sequence: number; readonly state: RulesState } | undefined
  private currentRulebook = createRulebook(DEFAULT_RULES_STATE)
  private blocked = new Blocklist(DEFAULT_RULES_STATE.blocked)
  private merchantCount = 0
  private listingCount = 0
  private adCount = 0
  private changeCount = 0

  /** @param accounts where campaigns find what they may spend */
  constructor(private readonly accounts = new Accounts()) {}

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
      listings: this.listingCount,
      campaigns: this.campaignsById.size,
      ads: this.adCount,
      keys: this.keysByHash.size,
    }
  }

  /** Takes in a change; false when the index already holds this one or a later one of the same entity. */
  apply(change: ChangeData): boolean {
    // Positions in an outbox: far below 2^53.
    const sequence = Number(change.sequence)
    switch (change.kind) {
      case 'merchant': {
        const entry = merchantEntryOf(this.merchants, change.id)
        if (isKnown(entry.current, sequence)) return false
        if (!entry.current) this.merchantCount++
        entry.current = { sequence, state: change.state }
        break
      }
      case 'listing': {
        const entry = listingEntryOf(this.listings, change.id)
        if (isKnown(entry.current, sequence)) return false
        if (!entry.current) this.listingCount++
        this.replaceListing(entry, change.state, sequence)
        break
      }
      case 'campaign': {
        const known = this.campaignsById.get(change.id)
        if (isKnown(known, sequence)) return false
        this.replaceCampaign(known, change.state, sequence)
        break
      }
      case 'rules': {
        if (isKnown(this.rulesEntry, sequence)) return false
        this.replaceRules(change.state, sequence)
        break
      }
      case 'api_key': {
        const knownHash = this.keyHashById.get(change.id)
        if (knownHash !== undefined && isKnown(this.keysByHash.get(knownHash), sequence)) return false
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
    return this.listings.get(id)?.current
  }

  campaign(id: string): IndexedCampaign | undefined {
    return this.campaignsById.get(id)
  }

  campaigns(): Iterable<IndexedCampaign> {
    return this.campaignsById.values()
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
    const terms = this.targeting.read(query.terms)
    this.targeting.visit(terms, query, (slot, keyword) => {
      if (this.matchedAt[slot] === mark) return
      this.matchedAt[slot] = mark
      const campaign = this.slots[slot]!
      const { negatives } = campaign.filed
      const excluded = negatives.length > 0 && negatives.some((negative) => meets(negative, terms))
      matches.push({ campaign, keyword, excluded })
    })
    return matches
  }

  /** Every entity as the change that would bring it here, for a copy on disk. */
  *dump(): Generator<ChangeData> {
    for (const [id, { current }] of this.merchants) {
      if (current) yield { kind: 'merchant', id, sequence: current.sequence.toString(), state: current.state }
    }
    for (const [id, { current }] of this.listings) {
      if (current)
        yield { kind: 'listing', id, sequence: current.sequence.toString(), state: current.toState() }
    }
    for (const [id, { sequence, state }] of this.campaignsById) {
      yield { kind: 'campaign', id, sequence: sequence.toString(), state: plainState(state) }
    }
    if (this.rulesEntry) {
      const { sequence, state } = this.rulesEntry
      yield { kind: 'rules', id: RULES_ID, sequence: sequence.toString(), state }
    }
    for (const { sequence, state } of this.keysByHash.values()) {
      yield { kind: 'api_key', id: state.id, sequence: sequence.toString(), state }
    }
  }

  private replaceListing(entry: Mutable<ListingEntry>, state: ListingState, sequence: number): void {
    const before = entry.current
    entry.current = new IndexedListing(state, sequence, {
      id: entry.id,
      merchantId: merchantEntryOf(this.merchants, state.merchantId).id,
      categories: this.interned.texts(state.categories),
    })
    if (isSamePoint(before?.location, entry.current.location)) return
    for (const campaign of this.nearListing.get(entry) ?? []) this.refile(campaign)
  }

  private replaceRules(state: RulesState, sequence: number): void {
    for (const id of this.rules.blocked.merchants) merchantEntryOf(this.merchants, id).blocked = false
    for (const id of state.blocked.merchants) merchantEntryOf(this.merchants, id).blocked = true
    this.rulesEntry = { sequence, state }
    this.currentRulebook = createRulebook(state)
    this.blocked = new Blocklist(state.blocked)
  }

  private replaceCampaign(known: CampaignEntry | undefined, incoming: CampaignState, sequence: number): void {
    if (known) {
      this.targeting.unfile(known.slot, known.filed)
      this.watchListings(known, false)
      this.adCount -= known.ads.length
    }
    const slot = known?.slot ?? this.slots.length
    this.makeRoomFor(slot)
    const merchant = merchantEntryOf(this.merchants, incoming.merchantId)
    const ads = incoming.ads.map(
      (ad) => new IndexedAd(ad.id, incoming.id, listingEntryOf(this.listings, ad.listingId), merchant),
    )
    // Archived is final: it can match nothing any more. It stays known by id, so that an older change cannot bring it back.
    const cells = incoming.status === 'archived' ? NOWHERE : cellsOf(incoming.targeting, ads)
    const filed = this.targeting.file(slot, incoming.targeting, cells)
    const state = this.interned.campaign(incoming, merchant.id, ads)
    const { targeting } = state
    const campaign: CampaignEntry = {
      slot,
      id: state.id,
      merchantId: merchant.id,
      sequence,
      state,
      pricing: state.pricing,
      bidMicros: BigInt(state.bidMicros),
      budgetDailyMicros: limitOf(state.budgetDailyMicros),
      budgetWeeklyMicros: limitOf(state.budgetWeeklyMicros),
      budgetMonthlyMicros: limitOf(state.budgetMonthlyMicros),
      budgetTotalMicros: limitOf(state.budgetTotalMicros),
      startsAtMs: state.startsAt === null ? Number.NEGATIVE_INFINITY : Date.parse(state.startsAt),
      endsAtMs: state.endsAt === null ? Number.POSITIVE_INFINITY : Date.parse(state.endsAt),
      active: state.status === 'active',
      dayparts: someOrNone(state.dayparts),
      placements: someOrNone(state.placements),
      devices: someOrNone(targeting.devices),
      locations: someOrNone(targeting.locations),
      listingRadiusKm: targeting.listingRadiusKm ?? undefined,
      frequencyCap: state.frequencyCap,
      merchant,
      ads,
      account: this.accounts.campaign(state.id),
      wallet: this.accounts.wallet(merchant.id),
      filed,
    }
    this.slots[slot] = campaign
    this.campaignsById.set(state.id, campaign)
    this.adCount += ads.length
    if (state.status !== 'archived') this.watchListings(campaign, true)
  }

  /** Files a campaign anew whose listings are now somewhere else. */
  private refile(campaign: CampaignEntry): void {
    this.targeting.unfile(campaign.slot, campaign.filed)
    const { targeting } = campaign.state
    const mutable: Mutable<CampaignEntry> = campaign
    mutable.filed = this.targeting.file(campaign.slot, targeting, cellsOf(targeting, campaign.ads))
  }

  /** Begins or ends to file a campaign anew whenever one of its listings is somewhere else. */
  private watchListings(campaign: CampaignEntry, begin: boolean): void {
    if (campaign.listingRadiusKm === undefined || campaign.locations) return
    for (const { listing } of campaign.ads) {
      const watching = (this.nearListing.get(listing) ?? []).filter((other) => other !== campaign)
      if (begin) watching.push(campaign)
      if (watching.length > 0) this.nearListing.set(listing, watching)
      else this.nearListing.delete(listing)
    }
  }

  private makeRoomFor(slot: number): void {
    if (slot < this.matchedAt.length) return
    this.matchedAt = grown(this.matchedAt, slot)
  }
}

const NOWHERE: readonly number[] = []
const PLACELESS: readonly number[] = [EVERYWHERE]

/**
 * The cells that hold all places where a campaign may be shown: around its own places, else around those of its listings that are
 * known and somewhere. The filter then measures the distance.
 */
function cellsOf(targeting: CampaignState['targeting'], ads: readonly IndexedAd[]): readonly number[] {
  const { locations, listingRadiusKm } = targeting
  if (locations.length > 0) return [...new Set(locations.flatMap(cellsOfCircle))]
  if (listingRadiusKm === null) return PLACELESS
  const places = ads.flatMap(({ listing }) => listing.current?.location ?? [])
  return [...new Set(places.flatMap((place) => cellsOfCircle({ ...place, radiusKm: listingRadiusKm })))]
}

const isSamePoint = (a: Point | undefined, b: Point | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.lat === b.lat && a.lng === b.lng)

const limitOf = (micros: string | null): bigint | undefined => (micros === null ? undefined : BigInt(micros))

const someOrNone = <T>(items: T[]): T[] | undefined => (items.length > 0 ? items : undefined)

function merchantEntryOf(entries: Map<string, Mutable<MerchantEntry>>, id: string): Mutable<MerchantEntry> {
  let entry = entries.get(id)
  if (!entry) {
    entry = { id, current: undefined, blocked: false }
    entries.set(id, entry)
  }
  return entry
}

function listingEntryOf(entries: Map<string, Mutable<ListingEntry>>, id: string): Mutable<ListingEntry> {
  let entry = entries.get(id)
  if (!entry) {
    entry = { id, current: undefined }
    entries.set(id, entry)
  }
  return entry
}

const isKnown = (known: { readonly sequence: number } | undefined, sequence: number): boolean =>
  known !== undefined && known.sequence >= sequence

function grown(marks: Float64Array<ArrayBuffer>, slot: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(marks.length * 2, slot + 1))
  larger.set(marks)
  return larger
}
