import {
  type CampaignState,
  EndcapError,
  type ExplainedCandidate,
  type FieldError,
  fieldErrorsOf,
  formatPrice,
  type ListingState,
  type Micros,
  type Pricing,
  parseMoney,
} from '@endcap/contracts'
import { relevance } from '@endcap/ranking'
import { scoreToFloat } from '../domain/auction.js'
import { layOutPage } from '../domain/page.js'
import { AdIndex } from '../index/ad-index.js'
import { retrieve } from '../serve/1-retrieve/retrieve.js'
import { filter, type Remaining } from '../serve/2-filter/filter.js'
import { createZoneClock } from '../serve/2-filter/zone-clock.js'
import { sellSlots } from '../serve/4-auction/sell-slots.js'
import { createQueryReader } from '../serve/ad-request.js'
import type { Candidate } from '../serve/candidate.js'
import { DROP_REASONS, DropLedger } from '../serve/drop-reasons.js'
import { type AuctionCase, auctionCase, type CaseCampaign, type CaseListing } from './case-schema.js'
import { differencesOf } from './differences.js'

export interface CaseSlot {
  readonly position: number
  readonly listingId: string
  readonly campaignId: string
  /** Per click for cpc, per thousand impressions for cpm; six decimals. */
  readonly price: string
  readonly pricing: Pricing
}

export interface CaseOutcome {
  readonly listingId: string
  readonly campaignId: string
  readonly outcome: ExplainedCandidate['outcome']
  readonly reason: string
  /** As it entered the auction; of an ad that did not, the campaign's own. */
  readonly bid: string
  /** Money per impression, in currency units; null for an ad that did not enter. */
  readonly score: number | null
  readonly price?: string
}

export interface CaseResult {
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

const MAX_CANDIDATES = 1_000_000

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
    allowed: undefined,
    customerHash: '',
  }
  const drops = new DropLedger(true, Number.POSITIVE_INFINITY)
  const matches = retrieve(index, request)
  const matched = new Set(matches.map(({ campaign }) => campaign.id))
  for (const campaign of index.campaigns()) {
    if (matched.has(campaign.id)) continue
    drops.addAll(campaign.state.status === 'active' ? 'targeting' : 'campaign_not_active', campaign)
  }
  const candidates = filter(
    matches,
    request,
    {
      index,
      localTime: createZoneClock(),
      remainingOf: (campaign) => remainingOf(campaigns.get(campaign.id)!),
      multiplierOf: (campaign) => campaigns.get(campaign.id)!.multiplier,
      isPacedOut: () => false,
      relevanceOf: (ask, listing) =>
        found.predictions[listing.id]?.relevance ?? (described.has(listing.id) ? relevance(ask, listing) : 1),
      isCapped: () => false,
      relevanceFloor: found.rules.relevanceFloor,
      maxCandidates: MAX_CANDIDATES,
    },
    drops,
  )
  predictFromCase(candidates, found)
  const { sponsored, total } = found.request.slots
  const { winners, losers } = sellSlots(found.auctionId, candidates, sponsored.length, {
    reserveMicros: parseMoney(found.rules.reserve),
    reserveCpmMicros: parseMoney(found.rules.reserveCpm),
    squashing: found.rules.squashing,
    maxPerMerchant: found.rules.maxPerMerchant,
  })
  const shown = shownPositions(
    found,
    winners.map(({ ranked }) => ranked.bidder.listingId),
    total,
    sponsored,
  )
  const sold = winners.slice(0, shown.length)
  const slots = sold.map((winner, i) => ({
    position: shown[i]!,
    listingId: winner.ranked.bidder.listingId,
    campaignId: winner.ranked.bidder.campaign.id,
    price: formatPrice(winner.priceMicros),
    pricing: winner.ranked.bidder.pricing,
  }))
  const entered = ({ bidder, score }: (typeof winners)[number]['ranked']) => ({
    listingId: bidder.listingId,
    campaignId: bidder.campaign.id,
    bid: formatPrice(bidder.bidMicros),
    score: scoreToFloat(score),
  })
  const lost = [
    ...winners.slice(shown.length).map(({ ranked }) => ({ ranked, reason: 'page_ended' as const })),
    ...losers,
  ]
  const outcomes: CaseOutcome[] = [
    ...sold.map((winner) => ({
      ...entered(winner.ranked),
      outcome: 'won' as const,
      reason: winner.priceSetter ? 'second_price' : 'reserve_price',
      price: formatPrice(winner.priceMicros),
    })),
    ...lost.map(({ ranked, reason }) => ({
      ...entered(ranked),
      outcome: DROP_REASONS[reason].outcome,
      reason,
    })),
    ...drops.details.map(({ listingId, campaignId, reason, bidMicros }) => ({
      listingId,
      campaignId,
      outcome: DROP_REASONS[reason].outcome,
      reason,
      bid: formatPrice(bidMicros),
      score: null,
    })),
  ]
  return { slots, outcomes, differences: differencesOf(found.expect, slots, outcomes) }
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
  const missing = candidates.filter(({ listingId }) => !Object.hasOwn(predictions, listingId))
  if (missing.length > 0) {
    throw new AuctionCaseError(
      [...new Set(missing.map(({ listingId }) => listingId))].map((listingId) => ({
        path: `/predictions/${listingId}`,
        message: 'is needed: this listing enters the auction',
      })),
    )
  }
  for (const candidate of candidates) {
    const { pctr, pcvr, orderValue } = predictions[candidate.listingId]!
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

const moneyOf = (text: string | undefined): Micros | undefined =>
  text === undefined ? undefined : parseMoney(text)

function assertConsistent({ campaigns, listings }: AuctionCase): void {
  const errors: FieldError[] = []
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
  if (errors.length > 0) throw new AuctionCaseError(errors)
}

/** The case as the index would hold it had it come through the change feed. */
function indexOf({ campaigns, listings }: AuctionCase): AdIndex {
  const index = new AdIndex()
  let last = 0n
  const sequence = (): string => (++last).toString()
  const states = new Map<string, ListingState>()
  for (const listing of listings)
    states.set(listing.id, listingStateOf(listing, listing.merchantId ?? '', 'EUR'))
  for (const campaign of campaigns) {
    const { merchantId, timeZone, currency } = campaign
    const state = { id: merchantId, name: merchantId, currency, timeZone, version: 1 }
    index.apply({ kind: 'merchant', id: merchantId, sequence: sequence(), state })
    for (const id of campaign.listings) {
      const known = states.get(id)
      if (!known) states.set(id, listingStateOf({ id }, merchantId, currency))
      else if (known.merchantId === '') states.set(id, { ...known, merchantId })
    }
  }
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
  const microsOf = (text: string | undefined): string | null =>
    text === undefined ? null : parseMoney(text).toString()
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
      id: `${campaign.id}/${listingId}`,
      listingId,
    })),
    version: 1,
  }
}

const minuteOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5))
