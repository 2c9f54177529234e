import type { ByteReader, ByteWriter } from '@endcap/contracts'
import {
  type CampaignState,
  campaignState,
  keywordState,
  type Pricing,
  printAd,
  targetingState,
} from '@endcap/contracts'
import type { Accounts, CampaignAccount, Limits, WalletAccount } from '../budgets/accounts.js'
import type { IndexedListing } from './indexed-listing.js'
import type { Keyword } from './keyword.js'
import type { Keywords } from './keywords.js'
import type { Listings } from './listings.js'
import type { MerchantEntry, Merchants } from './merchants.js'
import type { Interned } from './packed/interned.js'
import { restOf, restsOf } from './rest.js'

/** What campaigns name by number. */
export interface CampaignShelves {
  readonly accounts: Accounts
  readonly merchants: Merchants
  readonly listings: Listings
  readonly keywords: Keywords
  readonly interned: Interned
}

/** What is written of a campaign in other words than those of its state. */
interface CampaignNumbers {
  readonly sequence: number
  /** Of its keywords, in their order. */
  readonly keywords: readonly number[]
}

/** Writes a campaign as `IndexedCampaign` reads it; what requests do not need stands last, for `stateOf`. */
export function writeCampaign(
  writer: ByteWriter,
  state: CampaignState,
  { sequence, keywords }: CampaignNumbers,
  { merchants, listings, interned }: CampaignShelves,
): ByteWriter {
  const { targeting, ads } = state
  writer
    .natural(sequence)
    .natural(merchants.take(state.merchantId).number)
    .natural(interned.take(state.status))
    .natural(interned.take(state.pricing))
    .natural(interned.take(state.pacing))
    .natural(interned.take(state.timeZone))
    .natural(interned.take(state.dayparts))
    .natural(interned.take(state.placements))
    .natural(interned.take(targeting.devices))
    .natural(interned.take(state.frequencyCap))
    .big(BigInt(state.bidMicros))
    .bigIfAny(bigOf(state.budgetDailyMicros))
    .bigIfAny(bigOf(state.budgetWeeklyMicros))
    .bigIfAny(bigOf(state.budgetMonthlyMicros))
    .bigIfAny(bigOf(state.budgetTotalMicros))
    .textOrNull(state.startsAt)
    .textOrNull(state.endsAt)
    .doubleOrNull(state.targetRoas)
    .doubleOrNull(targeting.listingRadiusKm)
    .natural(targeting.locations.length)
  for (const { lat, lng, radiusKm } of targeting.locations) writer.double(lat).double(lng).double(radiusKm)
  writer.natural(ads.length)
  for (const ad of ads) writer.natural(listings.take(ad.listingId)).text(ad.id)
  writer.natural(keywords.length)
  targeting.keywords.forEach(({ negative }, at) => {
    writer.natural(keywords[at]! * 2 + (negative ? 1 : 0))
  })

  writer.text(state.name).whole(state.version).natural(interned.take(targeting.categories))
  writer.natural(targeting.items.length)
  for (const item of targeting.items) writer.text(item)
  return writer.text(printRest(state))
}

/** A campaign with what is read of it on every request, made from its record when a request first meets it. */
export class IndexedCampaign {
  readonly sequence: number
  readonly merchant: MerchantEntry
  readonly status: CampaignState['status']
  readonly active: boolean
  readonly pricing: Pricing
  readonly pacing: CampaignState['pacing']
  /** Of the dayparts; null: the merchant's. */
  readonly timeZone: string | null
  /** undefined: at all times; likewise below: everywhere, on every device. */
  readonly dayparts: CampaignState['dayparts'] | undefined
  readonly placements: CampaignState['placements'] | undefined
  readonly devices: readonly string[] | undefined
  readonly frequencyCap: CampaignState['frequencyCap']
  readonly bidMicros: bigint
  readonly budgetDailyMicros: bigint | undefined
  readonly budgetWeeklyMicros: bigint | undefined
  readonly budgetMonthlyMicros: bigint | undefined
  readonly budgetTotalMicros: bigint | undefined
  readonly startsAt: string | null
  readonly endsAt: string | null
  readonly startsAtMs: number
  readonly endsAtMs: number
  readonly targetRoas: number | null
  /** How near a request must be to the listing itself. */
  readonly listingRadiusKm: number | undefined
  readonly locations: CampaignState['targeting']['locations'] | undefined
  readonly ads: readonly IndexedAd[]
  /** Numbers of its keywords in their order, those that exclude among them. */
  readonly keywords: readonly KeywordUse[]
  /** Keep the campaign out of the queries that they meet. */
  readonly negatives: readonly Keyword[]
  /** What `remainingOf` last worked out; it holds until billing says something new, the campaign changes or a day begins. */
  limits: Limits | undefined = undefined
  /** In which generation requests last met it (`RecentByNumber`). */
  usedIn = -1
  private held: CampaignAccount | undefined = undefined

  constructor(
    readonly number: number,
    readonly id: string,
    reader: ByteReader,
    private readonly shelves: CampaignShelves,
  ) {
    const { merchants, listings, keywords, interned } = shelves
    this.sequence = reader.natural()
    this.merchant = merchants.at(reader.natural())
    this.status = interned.at(reader.natural())
    this.active = this.status === 'active'
    this.pricing = interned.at(reader.natural())
    this.pacing = interned.at(reader.natural())
    this.timeZone = interned.at(reader.natural())
    this.dayparts = someOrNone(interned.at(reader.natural()))
    this.placements = someOrNone(interned.at(reader.natural()))
    this.devices = someOrNone(interned.at(reader.natural()))
    this.frequencyCap = interned.at(reader.natural())
    this.bidMicros = reader.big()
    this.budgetDailyMicros = reader.bigIfAny()
    this.budgetWeeklyMicros = reader.bigIfAny()
    this.budgetMonthlyMicros = reader.bigIfAny()
    this.budgetTotalMicros = reader.bigIfAny()
    this.startsAt = reader.textOrNull()
    this.endsAt = reader.textOrNull()
    this.startsAtMs = this.startsAt === null ? Number.NEGATIVE_INFINITY : Date.parse(this.startsAt)
    this.endsAtMs = this.endsAt === null ? Number.POSITIVE_INFINITY : Date.parse(this.endsAt)
    this.targetRoas = reader.doubleOrNull()
    this.listingRadiusKm = reader.doubleOrNull() ?? undefined
    this.locations = someOrNone(
      reader.list(() => ({ lat: reader.double(), lng: reader.double(), radiusKm: reader.double() })),
    )
    this.ads = reader.list(() => {
      const listingId = listings.idOf(reader.natural())
      return new IndexedAd(reader.text(), listingId, id, this.merchant, listings)
    })
    this.keywords = reader.list(() => {
      const use = reader.natural()
      return { number: Math.floor(use / 2), negative: use % 2 === 1 }
    })
    const negatives = this.keywords.filter(({ negative }) => negative)
    this.negatives = negatives.length === 0 ? NO_KEYWORDS : negatives.map(({ number }) => keywords.at(number))
  }

  get merchantId(): string {
    return this.merchant.id
  }

  get account(): CampaignAccount {
    this.held ??= this.shelves.accounts.campaign(this.id)
    return this.held
  }

  get wallet(): WalletAccount {
    return this.merchant.wallet
  }
}

interface KeywordUse {
  readonly number: number
  readonly negative: boolean
}

export class IndexedAd {
  private inTokens: string | undefined = undefined
  private found: IndexedListing | undefined = undefined
  private foundAt = -1

  constructor(
    readonly id: string,
    readonly listingId: string,
    private readonly campaignId: string,
    private readonly merchant: MerchantEntry,
    private readonly listings: Listings,
  ) {}

  /** undefined: the change feed has not brought it yet. */
  get listing(): IndexedListing | undefined {
    const { found, listings } = this
    if (found && !found.isOutdated && this.foundAt === listings.turn) return found
    this.found = listings.get(this.listingId)
    this.foundAt = listings.turn
    return this.found
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

/** The whole state of a campaign, as the change feed brought it. */
export function readCampaignState(
  number: number,
  id: string,
  reader: ByteReader,
  shelves: CampaignShelves,
): CampaignState {
  const campaign = new IndexedCampaign(number, id, reader, shelves)
  const name = reader.text()
  const version = reader.whole()
  const categories = shelves.interned.at<string[]>(reader.natural())
  const items = reader.list(() => reader.text())
  const rest: Rest = JSON.parse(reader.text() || '{}')
  return {
    id,
    merchantId: campaign.merchantId,
    name,
    status: campaign.status,
    pricing: campaign.pricing,
    bidMicros: campaign.bidMicros.toString(),
    budgetDailyMicros: printed(campaign.budgetDailyMicros),
    budgetWeeklyMicros: printed(campaign.budgetWeeklyMicros),
    budgetMonthlyMicros: printed(campaign.budgetMonthlyMicros),
    budgetTotalMicros: printed(campaign.budgetTotalMicros),
    startsAt: campaign.startsAt,
    endsAt: campaign.endsAt,
    timeZone: campaign.timeZone,
    dayparts: campaign.dayparts ?? [],
    pacing: campaign.pacing,
    targeting: {
      keywords: campaign.keywords.map(({ number, negative }, at) => ({
        text: shelves.keywords.textOf(number),
        match: shelves.keywords.peek(number).match,
        negative,
        ...rest.keywords?.[at],
      })),
      categories,
      locations: (campaign.locations ?? []).map((location, at) => ({ ...location, ...rest.locations?.[at] })),
      items,
      devices: [...(campaign.devices ?? [])],
      listingRadiusKm: campaign.listingRadiusKm ?? null,
      ...rest.targeting,
    },
    placements: campaign.placements ?? [],
    targetRoas: campaign.targetRoas,
    frequencyCap: campaign.frequencyCap,
    ads: campaign.ads.map((ad, at) => ({ id: ad.id, listingId: ad.listingId, ...rest.ads?.[at] })),
    version,
    ...rest.campaign,
  }
}

const NO_KEYWORDS: readonly Keyword[] = []
const CAMPAIGN_FIELDS: ReadonlySet<string> = new Set(Object.keys(campaignState.shape))
const TARGETING_FIELDS: ReadonlySet<string> = new Set(Object.keys(targetingState.shape))
const KEYWORD_FIELDS: ReadonlySet<string> = new Set(Object.keys(keywordState.shape))
const LOCATION_FIELDS: ReadonlySet<string> = new Set(['lat', 'lng', 'radiusKm'])
const AD_FIELDS: ReadonlySet<string> = new Set(['id', 'listingId'])

/** Fields that this version does not know, by what they are fields of. */
interface Rest {
  readonly campaign?: object | undefined
  readonly targeting?: object | undefined
  readonly keywords?: Readonly<Record<number, object>> | undefined
  readonly locations?: Readonly<Record<number, object>> | undefined
  readonly ads?: Readonly<Record<number, object>> | undefined
}

/** As JSON; '' without any. */
function printRest(state: CampaignState): string {
  const { targeting, ads } = state
  const rest: Rest = {
    campaign: restOf(state, CAMPAIGN_FIELDS),
    targeting: restOf(targeting, TARGETING_FIELDS),
    keywords: restsOf(targeting.keywords, KEYWORD_FIELDS),
    locations: restsOf(targeting.locations, LOCATION_FIELDS),
    ads: restsOf(ads, AD_FIELDS),
  }
  return Object.values(rest).some((fields) => fields !== undefined) ? JSON.stringify(rest) : ''
}

const bigOf = (micros: string | null): bigint | undefined => (micros === null ? undefined : BigInt(micros))

const printed = (micros: bigint | undefined): string | null => micros?.toString() ?? null

const someOrNone = <T>(items: readonly T[]): T[] | undefined =>
  items.length > 0 ? (items as T[]) : undefined
