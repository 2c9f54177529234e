import { effectiveBid, reserveOf } from '@endcap/auction'
import type { LocalTime, MerchantState, Micros } from '@endcap/contracts'
import type { RankedListing, SlateContext } from '@endcap/ranking'
import { distanceKm } from '../../domain/geo.js'
import type { AdIndex, Match } from '../../index/ad-index.js'
import type { IndexedCampaign } from '../../index/indexed-campaign.js'
import type { IndexedListing } from '../../index/indexed-listing.js'
import type { AdRequest } from '../ad-request.js'
import { Candidate } from '../candidate.js'
import type { DropLedger, DropReason } from '../drop-reasons.js'
import type { CapsLeft } from '../frequency-caps.js'

/** What a campaign may still spend; undefined where there is no limit. */
export interface Remaining {
  readonly totalMicros: Micros | undefined
  readonly monthMicros: Micros | undefined
  readonly weekMicros: Micros | undefined
  readonly dayMicros: Micros | undefined
  readonly walletMicros: Micros | undefined
  /** Expected to be charged for slots already sold, of this campaign and of its whole merchant. */
  readonly heldMicros: Micros
  readonly heldByMerchantMicros: Micros
}

export interface FilterDeps {
  readonly index: AdIndex
  readonly localTime: (nowMs: number, timeZone: string) => LocalTime
  readonly remainingOf: (campaign: IndexedCampaign, budgetDay: string) => Remaining
  /** Pacing's hold on the campaign's bids, 0…1. */
  readonly multiplierOf: (campaign: IndexedCampaign) => number
  /** Whether pacing's gate keeps the campaign out of this auction. */
  readonly isPacedOut: (campaign: IndexedCampaign) => boolean
  readonly relevanceOf: (context: SlateContext, listing: RankedListing) => number
  readonly capsLeft: CapsLeft
}

interface Admitted {
  readonly match: Match
  readonly currency: string
  readonly remainingMicros: Micros | undefined
}

/** Keeps the ads that may be shown now, in one currency; every other one leaves with its reason. */
export function filter(
  matches: readonly Match[],
  request: AdRequest,
  deps: FilterDeps,
  drops: DropLedger,
): Candidate[] {
  const admitted: Admitted[] = []
  const unsellable = unsellableOf(request, deps.index)
  for (const match of matches) {
    const { campaign } = match
    const merchant = campaign.merchant.current
    const verdict = unsellable
      ? unsellable
      : merchant
        ? judgeCampaign(match, merchant.state, request, deps)
        : 'merchant_unknown'
    if (typeof verdict === 'string') drops.addAll(verdict, campaign)
    else admitted.push(verdict)
  }
  return adsOf(inOneCurrency(admitted, request, deps, drops), request, deps, drops)
}

/** Why nothing may be sold for this request at all. */
function unsellableOf({ terms, context }: AdRequest, { blocklist }: AdIndex): DropReason | undefined {
  if (blocklist.blocksQuery(terms)) return 'term_blocked'
  return blocklist.blocksCategories(context.categories) ? 'category_blocked' : undefined
}

function judgeCampaign(
  match: Match,
  merchant: MerchantState,
  request: AdRequest,
  deps: FilterDeps,
): DropReason | Admitted {
  const { campaign } = match
  const { dayparts, placements, devices } = campaign
  if (campaign.merchant.blocked) return 'merchant_blocked'
  if (!campaign.active) return 'campaign_not_active'
  if (request.nowMs < campaign.startsAtMs) return 'not_started'
  if (request.nowMs >= campaign.endsAtMs) return 'ended'
  const local = deps.localTime(request.nowMs, merchant.timeZone)
  if (dayparts) {
    const { timeZone } = campaign
    const clock = timeZone === null ? local : deps.localTime(request.nowMs, timeZone)
    if (!dayparts.some((part) => covers(part, clock))) return 'outside_daypart'
  }
  if (placements && !placements.includes(request.context.placement)) return 'placement'
  if (devices && !devices.includes(request.context.device)) return 'device'
  if (match.excluded) return 'negative_keyword'
  if (isOutOfRadius(campaign, request)) return 'out_of_radius'
  const remaining = deps.remainingOf(campaign, local.date)
  const spent = spentOf(remaining)
  if (spent) return spent
  if (deps.capsLeft.campaigns.get(campaign.id) === 0) return 'frequency_cap'
  if (deps.capsLeft.merchants.get(campaign.merchantId) === 0) return 'merchant_frequency_cap'
  if (deps.isPacedOut(campaign)) return 'paced'
  return {
    match,
    currency: merchant.currency,
    remainingMicros: tightestOf(remaining),
  }
}

const covers = (
  part: { readonly days: readonly number[]; readonly fromMinute: number; readonly toMinute: number },
  local: LocalTime,
): boolean =>
  part.days.includes(local.weekday) &&
  part.fromMinute <= local.minuteOfDay &&
  local.minuteOfDay < part.toMinute

/** Whether a request is outside all places of a campaign that has some. */
export function isOutOfRadius(campaign: IndexedCampaign, { location }: Pick<AdRequest, 'location'>): boolean {
  const { locations } = campaign
  if (!locations) return false
  return !location || !locations.some((place) => distanceKm(place, location) <= place.radiusKm)
}

/** Which limit is used up, counting what slots already sold are expected to cost. */
export function spentOf(remaining: Remaining): DropReason | undefined {
  const { heldMicros, heldByMerchantMicros } = remaining
  if (remaining.totalMicros !== undefined && remaining.totalMicros <= heldMicros) return 'budget_total_spent'
  if (remaining.monthMicros !== undefined && remaining.monthMicros <= heldMicros) return 'budget_month_spent'
  if (remaining.weekMicros !== undefined && remaining.weekMicros <= heldMicros) return 'budget_week_spent'
  if (remaining.dayMicros !== undefined && remaining.dayMicros <= heldMicros) return 'budget_day_spent'
  if (remaining.walletMicros !== undefined && remaining.walletMicros <= heldByMerchantMicros) {
    return 'wallet_empty'
  }
  return undefined
}

/** What the tightest limit leaves; undefined without any. */
export const tightestOf = (remaining: Remaining): Micros | undefined => {
  const { totalMicros, monthMicros, weekMicros, dayMicros, walletMicros } = remaining
  return least(least(least(least(totalMicros, monthMicros), weekMicros), dayMicros), walletMicros)
}

const least = (a: Micros | undefined, b: Micros | undefined): Micros | undefined =>
  a === undefined ? b : b === undefined || a < b ? a : b

/**
 * Bids of different currencies cannot be compared, so an auction is held in one: that of the first named listing that Endcap knows,
 * else that of most merchants who bid the reserve or more (of equals, the first by name).
 */
function inOneCurrency(
  admitted: readonly Admitted[],
  request: AdRequest,
  deps: FilterDeps,
  drops: DropLedger,
): readonly Admitted[] {
  const first = admitted[0]?.currency
  if (admitted.every(({ currency }) => currency === first)) return admitted
  const currency = currencyOf(request, deps) ?? currencyOfMost(admitted, request, deps)
  return admitted.filter((campaign) => {
    if (campaign.currency === currency) return true
    drops.addAll('currency', campaign.match.campaign)
    return false
  })
}

function currencyOf(request: AdRequest, deps: FilterDeps): string | undefined {
  for (const item of request.items) {
    const listing = deps.index.listing(item)
    if (listing) return listing.currency
  }
  return undefined
}

function currencyOfMost(admitted: readonly Admitted[], request: AdRequest, deps: FilterDeps): string {
  const rules = deps.index.rulebook.inForce(request.context.placement, request.context.categories)
  const canBid = admitted.filter(({ match, remainingMicros }) => {
    const { campaign } = match
    const most = mostToBid(campaign, remainingMicros, deps.multiplierOf(campaign))
    return most > 0n && most >= reserveOf(campaign, rules)
  })
  const merchants = new Map<string, Set<string>>()
  for (const { currency, match } of canBid.length > 0 ? canBid : admitted) {
    const ofCurrency = merchants.get(currency)
    if (ofCurrency) ofCurrency.add(match.campaign.merchantId)
    else merchants.set(currency, new Set([match.campaign.merchantId]))
  }
  return [...merchants].sort(([a, m], [b, n]) => n.size - m.size || (a < b ? -1 : 1))[0]![0]
}

/** Whatever the predictions will say. */
const mostToBid = (
  { pricing, bidMicros }: IndexedCampaign,
  remainingMicros: Micros | undefined,
  multiplier: number,
): Micros =>
  effectiveBid({
    pricing,
    bidMicros,
    targetRoas: null,
    pctr: 1,
    pcvr: 1,
    orderValueMicros: 0n,
    multiplier,
    remainingMicros,
  })

function adsOf(
  admitted: readonly Admitted[],
  request: AdRequest,
  deps: FilterDeps,
  drops: DropLedger,
): Candidate[] {
  const candidates: Candidate[] = []
  const { blocklist, rules } = deps.index
  for (const { match, currency, remainingMicros } of admitted) {
    const { campaign } = match
    for (const ad of campaign.ads) {
      const listing = ad.listing
      if (!listing) drops.add('listing_unknown', campaign, ad.listingId)
      else if (!listing.active) drops.add('listing_inactive', campaign, ad.listingId)
      else if (request.allowed && !request.allowed.has(ad.listingId)) {
        drops.add('listing_not_allowed', campaign, ad.listingId)
      } else if (blocklist.blocksCategories(listing.categories)) {
        drops.add('category_blocked', campaign, ad.listingId)
      } else if (isFarFromListing(campaign, listing, request)) {
        drops.add('listing_out_of_radius', campaign, ad.listingId)
      } else {
        const relevance = deps.relevanceOf(request.context, listing)
        if (relevance < rules.relevanceFloor) drops.add('relevance_floor', campaign, ad.listingId)
        else {
          candidates.push(
            new Candidate(
              campaign,
              ad,
              listing,
              match.keyword,
              currency,
              relevance,
              remainingMicros,
              deps.multiplierOf(campaign),
            ),
          )
        }
      }
    }
  }
  return candidates
}

function isFarFromListing(
  { listingRadiusKm }: IndexedCampaign,
  listing: IndexedListing,
  { location }: AdRequest,
): boolean {
  if (listingRadiusKm === undefined) return false
  return !location || !listing.location || distanceKm(listing.location, location) > listingRadiusKm
}
