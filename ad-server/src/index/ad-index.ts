import {
  type ApiKeyState,
  type CampaignState,
  type ChangeData,
  DEFAULT_RULES_STATE,
  type MerchantState,
  type Pricing,
  printAd,
  RULES_ID,
  type RulesState,
} from '@endcap/contracts'
import { Accounts, type CampaignAccount, type WalletAccount } from '../budgets/accounts.js'
import { IndexedListing } from './indexed-listing.js'
import { KeywordIndex } from './keyword-index.js'

/** A campaign with what is read on every request already parsed. */
export interface IndexedCampaign {
  /** Its number in the postings. */
  readonly slot: number
  readonly id: string
  readonly merchantId: string
  readonly sequence: bigint
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
  /** undefined: at all times; likewise below: everywhere. */
  readonly dayparts: CampaignState['dayparts'] | undefined
  readonly placements: CampaignState['placements'] | undefined
  readonly locations: CampaignState['targeting']['locations'] | undefined
  readonly frequencyCap: CampaignState['frequencyCap']
  readonly merchant: MerchantEntry
  readonly ads: readonly IndexedAd[]
  readonly account: CampaignAccount
  readonly wallet: WalletAccount
}

/** A merchant that somebody has named; its state follows when the change feed brings it. */
export interface MerchantEntry {
  readonly current: { readonly sequence: bigint; readonly state: MerchantState } | undefined
}

/** A listing that somebody has named; it follows when the change feed brings it. */
export interface ListingEntry {
  readonly current: IndexedListing | undefined
}

export class IndexedAd {
  private inTokens: string | undefined = undefined

  constructor(
    readonly id: string,
    private readonly campaign: Pick<CampaignState, 'id' | 'merchantId'>,
    readonly listingId: string,
    readonly listing: ListingEntry,
    private readonly merchant: MerchantEntry,
  ) {}

  /** As tokens carry it. */
  get printed(): string {
    this.inTokens ??= printAd({
      campaignId: this.campaign.id,
      adId: this.id,
      merchantId: this.campaign.merchantId,
      currency: this.merchant.current?.state.currency ?? '',
    })
    return this.inTokens
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface IndexedKey {
  readonly sequence: bigint
  readonly state: ApiKeyState
}

export interface RetrievalQuery {
  /** The query's terms in order, repeats kept. */
  readonly terms: readonly string[]
  readonly categories: readonly string[]
  /** Listings that the request names: a campaign that targets one of them matches. */
  readonly items: Iterable<string>
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
  private readonly campaignsById = new Map<string, IndexedCampaign>()
  private readonly keysByHash = new Map<string, IndexedKey>()
  private readonly keyHashById = new Map<string, string>()

  private readonly slots: IndexedCampaign[] = []
  private readonly keywords = new KeywordIndex()
  private readonly byCategory = new Map<string, number[]>()
  private readonly byItem = new Map<string, number[]>()
  private readonly untargeted = new Set<number>()

  // One mark a campaign slot, so that a request collects each campaign once without a set of its own.
  private mark = 0
  private matchedAt = new Float64Array(64)
  private excludedAt = new Float64Array(64)

  private rulesEntry: { readonly sequence: bigint; readonly state: RulesState } | undefined
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
    const sequence = BigInt(change.sequence)
    switch (change.kind) {
      case 'merchant': {
        const entry = entryOf(this.merchants, change.id)
        if (isKnown(entry.current, sequence)) return false
        if (!entry.current) this.merchantCount++
        entry.current = { sequence, state: change.state }
        break
      }
      case 'listing': {
        const entry = entryOf(this.listings, change.id)
        if (isKnown(entry.current, sequence)) return false
        if (!entry.current) this.listingCount++
        entry.current = new IndexedListing(change.state, sequence)
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
        this.rulesEntry = { sequence, state: change.state }
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
   * none of the three. Each once, in slot order within a kind. Whether they may serve now is the filter's question.
   */
  retrieve(query: RetrievalQuery): Match[] {
    const mark = ++this.mark
    const found: { slot: number; keyword: string }[] = []
    const add = (slot: number, keyword: string): void => {
      if (this.matchedAt[slot] === mark) return
      this.matchedAt[slot] = mark
      found.push({ slot, keyword })
    }
    this.keywords.visit(query.terms, (slot, keyword, negative) => {
      if (negative) this.excludedAt[slot] = mark
      else add(slot, keyword)
    })
    for (const category of query.categories) {
      for (const slot of this.byCategory.get(category) ?? NO_SLOTS) add(slot, '')
    }
    if (this.byItem.size > 0) {
      for (const item of query.items) for (const slot of this.byItem.get(item) ?? NO_SLOTS) add(slot, '')
    }
    for (const slot of this.untargeted) add(slot, '')
    const matches: Match[] = []
    for (const { slot, keyword } of found) {
      matches.push({ campaign: this.slots[slot]!, keyword, excluded: this.excludedAt[slot] === mark })
    }
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
      yield { kind: 'campaign', id, sequence: sequence.toString(), state }
    }
    if (this.rulesEntry) {
      const { sequence, state } = this.rulesEntry
      yield { kind: 'rules', id: RULES_ID, sequence: sequence.toString(), state }
    }
    for (const { sequence, state } of this.keysByHash.values()) {
      yield { kind: 'api_key', id: state.id, sequence: sequence.toString(), state }
    }
  }

  private replaceCampaign(known: IndexedCampaign | undefined, state: CampaignState, sequence: bigint): void {
    if (known) {
      this.unfile(known)
      this.adCount -= known.state.ads.length
    }
    const slot = known?.slot ?? this.slots.length
    this.makeRoomFor(slot)
    const merchant = entryOf(this.merchants, state.merchantId)
    const campaign: IndexedCampaign = {
      slot,
      id: state.id,
      merchantId: state.merchantId,
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
      locations: someOrNone(state.targeting.locations),
      frequencyCap: state.frequencyCap,
      merchant,
      ads: state.ads.map(
        ({ id, listingId }) =>
          new IndexedAd(id, state, listingId, entryOf(this.listings, listingId), merchant),
      ),
      account: this.accounts.campaign(state.id),
      wallet: this.accounts.wallet(state.merchantId),
    }
    this.slots[slot] = campaign
    this.campaignsById.set(state.id, campaign)
    this.adCount += state.ads.length
    // Archived is final: it can match nothing any more. It stays known by id, so that an older change cannot bring it back.
    if (state.status !== 'archived') this.file(campaign)
  }

  private file({ slot, state: { targeting } }: IndexedCampaign): void {
    for (const keyword of targeting.keywords) this.keywords.add(slot, keyword)
    for (const category of new Set(targeting.categories)) addTo(this.byCategory, category, slot)
    for (const item of new Set(targeting.items)) addTo(this.byItem, item, slot)
    if (isUntargeted(targeting)) this.untargeted.add(slot)
  }

  private unfile({ slot, state: { targeting } }: IndexedCampaign): void {
    for (const keyword of targeting.keywords) this.keywords.remove(slot, keyword)
    for (const category of targeting.categories) removeFrom(this.byCategory, category, slot)
    for (const item of targeting.items) removeFrom(this.byItem, item, slot)
    this.untargeted.delete(slot)
  }

  private makeRoomFor(slot: number): void {
    if (slot < this.matchedAt.length) return
    this.matchedAt = grown(this.matchedAt, slot)
    this.excludedAt = grown(this.excludedAt, slot)
  }
}

const NO_SLOTS: readonly number[] = []

const limitOf = (micros: string | null): bigint | undefined => (micros === null ? undefined : BigInt(micros))

const someOrNone = <T>(items: T[]): T[] | undefined => (items.length > 0 ? items : undefined)

function entryOf<T>(
  entries: Map<string, { current: T | undefined }>,
  id: string,
): { current: T | undefined } {
  let entry = entries.get(id)
  if (!entry) {
    entry = { current: undefined }
    entries.set(id, entry)
  }
  return entry
}

const isKnown = (known: { readonly sequence: bigint } | undefined, sequence: bigint): boolean =>
  known !== undefined && known.sequence >= sequence

/** Negative keywords exclude; they do not make a campaign match less than everything. */
const isUntargeted = (targeting: CampaignState['targeting']): boolean =>
  targeting.keywords.every((keyword) => keyword.negative) &&
  targeting.categories.length === 0 &&
  targeting.items.length === 0

function grown(marks: Float64Array<ArrayBuffer>, slot: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(marks.length * 2, slot + 1))
  larger.set(marks)
  return larger
}

function addTo(shelf: Map<string, number[]>, key: string, slot: number): void {
  const slots = shelf.get(key)
  if (!slots) shelf.set(key, [slot])
  else slots.push(slot)
}

function removeFrom(shelf: Map<string, number[]>, key: string, slot: number): void {
  const slots = shelf.get(key)
  const at = slots?.indexOf(slot) ?? -1
  if (!slots || at < 0) return
  slots.splice(at, 1)
  if (slots.length === 0) shelf.delete(key)
}
