import { effectiveBid, runAuction } from '@endcap/auction'
import {
  type CampaignState,
  DEFAULT_RULES_STATE,
  EndcapError,
  type ExplainedCandidate,
  type Explanation,
  type FieldError,
  fieldErrorsOf,
  formatPrice,
  type ListingState,
  type Micros,
  minMicros,
  type Pricing,
  parseMoney,
  RULES_ID,
  type RulesState,
} from '@endcap/contracts'
import { relevance } from '@endcap/ranking'
import { layOutPage } from '../domain/page.js'
import { AdIndex } from '../index/ad-index.js'
import type { IndexedCampaign } from '../index/indexed-campaign.js'
import { retrieve } from '../serve/1-retrieve/retrieve.js'
import { filter, isOutOfRadius, type Remaining } from '../serve/2-filter/filter.js'
import { shortlist } from '../serve/2-filter/shortlist.js'
import { createZoneClock } from '../serve/2-filter/zone-clock.js'
import { CallSales } from '../serve/4-auction/call-sales.js'
import { pageEnded } from '../serve/5-respond/auction-event.js'
import { explainAuction } from '../serve/5-respond/explain.js'
import { type AdRequest, createQueryReader } from '../serve/ad-request.js'
import { bidInputsOf, type Candidate } from '../serve/candidate.js'
import { DropLedger, type DropReason } from '../serve/drop-reasons.js'
import { type CapsLeft, NOTHING_CAPPED } from '../serve/frequency-caps.js'
import { type AuctionCase, auctionCase, type CaseCampaign, type CaseListing } from './case-schema.js'
import { differencesOf } from './differences.js'

interface CaseSlot {
  readonly position: number
  readonly listingId: string
  readonly campaignId: string
  /** Per click for cpc, per thousand impressions for cpm; six decimals. */
  readonly price: string
  readonly pricing: Pricing
}

/** As `explain` tells it; only winners have a price. */
type CaseOutcome = Omit<ExplainedCandidate, 'price'> & { readonly price?: string }

export interface CaseResult {
  /** The rules that held. */
  readonly rules: Explanation['rules']
  /** The sponsored slots that were sold. */
  readonly slots: readonly CaseSlot[]
  readonly outcomes: readonly CaseOutcome[]
  /** Where the result is not what the case expects; empty without expectations. */
  readonly differences: readonly string[]
}

/** The case is not valid; `errors` name its fields. */
export class AuctionCaseError extends EndcapError {
  constructor(errors: readonly FieldError[]) {
    const told = errors.slice(0, 10).map(({ path, message }) => `${path || '/'}: ${message}`)
    super('validation_failed', `the case is not valid: ${told.join('; ')}`, errors)
  }
}

/**
 * Runs one auction case (INTERFACES §8) through the steps that serve requests; predictions come from the case.
 * @throws AuctionCaseError
 */
export function runAuctionCase(json: unknown): CaseResult {
  const parsed = auctionCase.safeParse(json)
  if (!parsed.success) throw new AuctionCaseError(fieldErrorsOf(parsed.error))
  const found = parsed.data
  assertConsistent(found)
  const index = indexOf(found)
  const campaigns = new Map(found.campaigns.map((campaign) => [campaign.id, campaign]))
  const described = new Set(found.listings.map(({ id }) => id))
  const nowMs = Date.parse(found.now)
  const { context, terms } = createQueryReader(1)(found.request, nowMs)
  const request = {
    auctionId: found.auctionId,
    nowMs,
    context,
    terms,
    location: found.request.location,
    items: found.request.organic.map(({ listingId }) => listingId),
    allowed: found.request.listings && new Set(found.request.listings),
    customerHash: '',
    consented: false,
  }
  const drops = new DropLedger(true, Number.POSITIVE_INFINITY)
  const matches = retrieve(index, request)
  const matched = new Set(matches.map(({ campaign }) => campaign.id))
  for (const campaign of index.campaigns()) {
    if (matched.has(campaign.id)) continue
    drops.addAll(unmetReason(campaign, request), campaign)
  }
  const capsLeft = capsLeftOf(found)
  const admitted = filter(
    matches,
    request,
    {
      index,
      localTime: createZoneClock(),
      remainingOf: (campaign) => remainingOf(campaigns.get(campaign.id)!),
      multiplierOf: (campaign) => campaigns.get(campaign.id)!.multiplier,
      isPacedOut: (campaign) => !campaigns.get(campaign.id)!.passes,
      relevanceOf: (ask, listing) =>
        found.predictions.get(listing.id)?.relevance ??
        (described.has(listing.id) ? relevance(ask, listing) : 1),
      capsLeft,
    },
    drops,
  )
  predictFromCase(admitted, found)
  const { sponsored, total } = found.request.slots
  const rules = index.rulebook.inForce(context.placement, context.categories)
  const candidates = shortlist(
    admitted,
    { maxCandidates: found.rules.maxCandidates, rules, predictEarly: (ads) => ads },
    drops,
  )
  new CallSales().limit(candidates, capsLeft)
  setBids(candidates, campaigns)
  const { winners, losers } = runAuction(found.auctionId, candidates, sponsored.length, rules)
  const positions = shownPositions(
    found,
    winners.map(({ ranked }) => ranked.bidder.listingId),
    total,
    sponsored,
  )
  const sold = winners.slice(0, positions.length)
  const slots = sold.map((winner, i) => ({
    position: positions[i]!,
    listingId: winner.ranked.bidder.listingId,
    campaignId: winner.ranked.bidder.campaign.id,
    price: formatPrice(winner.priceMicros),
    pricing: winner.ranked.bidder.pricing,
  }))
  const explained = explainAuction({
    auctionId: found.auctionId,
    winners: sold,
    losers: [...winners.slice(positions.length).map(({ ranked }) => pageEnded(ranked)), ...losers],
    drops,
    rules,
    forSale: sponsored,
    effects: found.rules.positionEffects,
  })
  const result = {
    slots,
    rules: explained.rules,
    outcomes: explained.candidates.map(({ price, bidding, ...rest }) => ({
      ...rest,
      ...(price !== null && { price }),
      // How an ad's own bid came to be is not in the case.
      bidding: bidding?.final === rest.bid ? bidding : null,
    })),
  }
  return { ...result, differences: differencesOf(found.expect, result) }
}

/** Bids come to what serving makes of them; to no more than an ad's own, where the case has one. */
function setBids(candidates: readonly Candidate[], campaigns: ReadonlyMap<string, CaseCampaign>): void {
  for (const candidate of candidates) {
    const bid = effectiveBid(bidInputsOf(candidate))
    const { ads } = campaigns.get(candidate.campaign.id)!
    const own = moneyOf(ads.find(({ listingId }) => listingId === candidate.listingId)?.bid)
    candidate.bidMicros = own === undefined ? bid : minMicros(own, bid)
  }
}

/** What caps leave for the customer; nobody is remembered without consent. */
function capsLeftOf({ campaigns, rules, request: { customer } }: AuctionCase): CapsLeft {
  if (customer?.id === undefined || customer.consent !== true) return NOTHING_CAPPED
  const merchants = rules.merchantFrequencyCap ? new Set(campaigns.map(({ merchantId }) => merchantId)) : []
  return {
    campaigns: new Map(
      campaigns.flatMap((one) => (one.frequencyCap ? [[one.id, leftOf(one.frequencyCap, [one])]] : [])),
    ),
    merchants: new Map(
      [...merchants].map((merchant) => [
        merchant,
        leftOf(
          rules.merchantFrequencyCap,
          campaigns.filter(({ merchantId }) => merchantId === merchant),
        ),
      ]),
    ),
  }
}

function leftOf(cap: CaseCampaign['frequencyCap'], campaigns: readonly CaseCampaign[]): number {
  const ofWindows = (['hour', 'day', 'week'] as const).map((window) => {
    const seen = campaigns.reduce((sum, campaign) => sum + (campaign.seen[window] ?? 0), 0)
    return (cap?.[window] ?? Number.POSITIVE_INFINITY) - seen
  })
  return Math.max(0, Math.min(...ofWindows))
}

/** Why retrieval does not give a campaign; serving never looks at those. */
function unmetReason(campaign: IndexedCampaign, request: Pick<AdRequest, 'location'>): DropReason {
  if (!campaign.active) return 'campaign_not_active'
  return isOutOfRadius(campaign, request) ? 'out_of_radius' : 'targeting'
}

/** The positions at which winners are shown, on a page with the case's organic results. */
function shownPositions(
  found: AuctionCase,
  winners: readonly string[],
  total: number,
  sponsored: readonly number[],
): number[] {
  const organic = [...new Set(found.request.organic.map(({ listingId }) => listingId))]
  for (let shown = winners.length; ; ) {
    const taken = new Set(winners.slice(0, shown))
    const rest = organic.flatMap((listingId, i) => (taken.has(listingId) ? [] : [i]))
    const page = layOutPage({
      total,
      sponsored,
      winners: shown,
      organic: rest,
      sponsoredOnly: organic.length === 0,
    })
    const positions = page.filter(({ winner }) => winner >= 0).map(({ position }) => position)
    if (positions.length === shown) return positions
    shown = positions.length
  }
}

function predictFromCase(candidates: readonly Candidate[], { predictions }: AuctionCase): void {
  const missing = candidates.filter(({ listingId }) => !predictions.has(listingId))
  if (missing.length > 0) {
    throw new AuctionCaseError(
      [...new Set(missing.map(({ listingId }) => listingId))].map((listingId) => ({
        path: `/predictions/${listingId}`,
        message: 'is needed: this listing enters the auction',
      })),
    )
  }
  for (const candidate of candidates) {
    const { pctr, pcvr, orderValue } = predictions.get(candidate.listingId)!
    candidate.pctr = pctr
    candidate.pcvr = pcvr
    if (orderValue !== undefined) candidate.orderValueMicros = parseMoney(orderValue)
  }
}

function remainingOf({ remaining, budget }: CaseCampaign): Remaining {
  return {
    totalMicros: moneyOf(remaining?.total ?? budget?.total),
    monthMicros: moneyOf(remaining?.month ?? budget?.monthly),
    weekMicros: moneyOf(remaining?.week ?? budget?.weekly),
    dayMicros: moneyOf(remaining?.day ?? budget?.daily),
    walletMicros: moneyOf(remaining?.wallet),
    heldMicros: 0n,
    heldByMerchantMicros: 0n,
  }
}

const moneyOf = (text: string | null | undefined): Micros | undefined =>
  text === undefined || text === null ? undefined : parseMoney(text)

function assertConsistent({ campaigns, listings, unknown, rules, request }: AuctionCase): void {
  const errors: FieldError[] = []
  if (rules.positionEffects && rules.positionEffects.length !== request.slots.sponsored.length) {
    errors.push({ path: '/rules/positionEffects', message: 'must be one for each slot for sale' })
  }
  const seen = new Set<string>()
  const owners = new Map<string, string>()
  listings.forEach(({ id, merchantId }, i) => {
    if (seen.has(id)) errors.push({ path: `/listings/${i}/id`, message: 'is used twice' })
    seen.add(id)
    if (merchantId !== undefined) owners.set(id, merchantId)
  })
  const campaignIds = new Set<string>()
  const merchants = new Map<string, { timeZone: string; currency: string }>()
  campaigns.forEach((campaign, i) => {
    if (campaignIds.has(campaign.id)) errors.push({ path: `/campaigns/${i}/id`, message: 'is used twice' })
    campaignIds.add(campaign.id)
    const known = merchants.get(campaign.merchantId) ?? campaign
    merchants.set(campaign.merchantId, known)
    for (const field of ['timeZone', 'currency'] as const) {
      if (known[field] !== campaign[field]) {
        errors.push({
          path: `/campaigns/${i}/${field}`,
          message: 'must be the same in all campaigns of a merchant',
        })
      }
    }
    campaign.ads.forEach(({ listingId }, j) => {
      if (campaign.listings.includes(listingId)) return
      const path = `/campaigns/${i}/ads/${j}/listingId`
      errors.push({ path, message: "is not among the campaign's listings" })
    })
    campaign.listings.forEach((listingId, j) => {
      const owner = owners.get(listingId) ?? campaign.merchantId
      owners.set(listingId, owner)
      if (owner !== campaign.merchantId) {
        errors.push({
          path: `/campaigns/${i}/listings/${j}`,
          message: `belongs to merchant ${owner}`,
        })
      }
    })
  })
  unknown.merchants.forEach((id, i) => {
    if (merchants.has(id)) return
    errors.push({ path: `/unknown/merchants/${i}`, message: 'is the merchant of no campaign' })
  })
  unknown.listings.forEach((id, i) => {
    const path = `/unknown/listings/${i}`
    if (seen.has(id)) errors.push({ path, message: 'is described in listings' })
    else if (!owners.has(id)) errors.push({ path, message: 'is a listing of no campaign' })
  })
  if (errors.length > 0) throw new AuctionCaseError(errors)
}

/** The case as the index would hold it had it come through the change feed. */
function indexOf({ campaigns, listings, unknown, rules }: AuctionCase): AdIndex {
  const index = new AdIndex()
  let last = 0n
  const sequence = (): string => (++last).toString()
  index.apply({ kind: 'rules', id: RULES_ID, sequence: sequence(), state: rulesStateOf(rules) })
  const states = new Map<string, ListingState>()
  for (const listing of listings)
    states.set(listing.id, listingStateOf(listing, listing.merchantId ?? '', 'EUR'))
  for (const campaign of campaigns) {
    const { merchantId, timeZone, currency } = campaign
    const state = { id: merchantId, name: merchantId, currency, timeZone, version: 1 }
    if (!unknown.merchants.includes(merchantId)) {
      index.apply({ kind: 'merchant', id: merchantId, sequence: sequence(), state })
    }
    for (const id of campaign.listings) {
      const known = states.get(id)
      if (!known) states.set(id, listingStateOf({ id }, merchantId, currency))
      else if (known.merchantId === '') states.set(id, { ...known, merchantId })
    }
  }
  for (const id of unknown.listings) states.delete(id)
  for (const [id, state] of states) index.apply({ kind: 'listing', id, sequence: sequence(), state })
  for (const campaign of campaigns) {
    index.apply({
      kind: 'campaign',
      id: campaign.id,
      sequence: sequence(),
      state: campaignStateOf(campaign),
    })
  }
  return index
}

const rulesStateOf = (rules: AuctionCase['rules']): RulesState => ({
  ...DEFAULT_RULES_STATE,
  reserves: rules.reserves.map(({ name, placement, category, reserve, reserveCpm }) => ({
    name,
    placement: placement ?? null,
    category: category ?? null,
    reserveMicros: parseMoney(reserve).toString(),
    reserveCpmMicros: parseMoney(reserveCpm).toString(),
  })),
  reserveMicros: parseMoney(rules.reserve).toString(),
  reserveCpmMicros: parseMoney(rules.reserveCpm).toString(),
  squashing: rules.squashing,
  maxPerMerchant: rules.maxPerMerchant,
  relevanceFloor: rules.relevanceFloor,
  ...(rules.blocked && { blocked: rules.blocked }),
})

function listingStateOf(listing: CaseListing, merchantId: string, currency: string): ListingState {
  return {
    id: listing.id,
    merchantId,
    title: listing.title ?? listing.id,
    url: listing.url ?? 'https://shop.example/',
    categories: listing.categories ?? [],
    priceMicros: parseMoney(listing.price ?? '0').toString(),
    currency: listing.currency ?? currency,
    location: listing.location ?? null,
    status: listing.status ?? 'active',
    version: 1,
  }
}

function campaignStateOf(campaign: CaseCampaign): CampaignState {
  const { targeting } = campaign
  const microsOf = (text: string | null | undefined): string | null =>
    text === undefined || text === null ? null : parseMoney(text).toString()
  return {
    id: campaign.id,
    merchantId: campaign.merchantId,
    name: campaign.name ?? campaign.id,
    status: campaign.status,
    pricing: campaign.pricing,
    bidMicros: parseMoney(campaign.bid).toString(),
    budgetDailyMicros: microsOf(campaign.budget?.daily),
    budgetWeeklyMicros: microsOf(campaign.budget?.weekly),
    budgetMonthlyMicros: microsOf(campaign.budget?.monthly),
    budgetTotalMicros: microsOf(campaign.budget?.total),
    startsAt: campaign.startsAt ?? null,
    endsAt: campaign.endsAt ?? null,
    timeZone: null,
    dayparts: (campaign.dayparts ?? []).map(({ days, from, to }) => ({
      days,
      fromMinute: minuteOf(from),
      toMinute: minuteOf(to),
    })),
    pacing: campaign.pacing,
    targeting: {
      keywords: (targeting?.keywords ?? []).map(({ text, match, negative }) => ({
        text,
        match,
        negative: negative ?? false,
      })),
      categories: targeting?.categories ?? [],
      locations: targeting?.locations ?? [],
      items: targeting?.items ?? [],
      devices: targeting?.devices ?? [],
      listingRadiusKm: targeting?.listingRadiusKm ?? null,
    },
    placements: campaign.placements ?? [],
    targetRoas: campaign.targetRoas ?? null,
    frequencyCap: campaign.frequencyCap ?? null,
    ads: [...new Set(campaign.listings)].map((listingId) => ({
      id: campaign.ads.find((ad) => ad.listingId === listingId)?.id ?? `${campaign.id}/${listingId}`,
      listingId,
    })),
    version: 1,
  }
}

const minuteOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5))
