import { formatPrice, maxMicros } from '@endcap/contracts'
import type { LoggedAuction, LoggedBidder } from './logged-auction.js'
import type { RulesInForce } from './rulebook.js'

/** What the log tells about the request, besides the auction. */
export interface LoggedRequest {
  readonly occurredAt: string
  readonly placement: string
  readonly query: string
  readonly categories: readonly string[]
  readonly device: string
  /** The organic results that were shown, best first. */
  readonly organic: readonly { readonly listingId: string; readonly score: number; readonly rank: number }[]
}

/**
 * A logged auction as a case file (see auction/cases/README.md): `endcap auction` runs it to the same slots and prices. Bids stand in it
 * as they entered the auction, so the campaigns have no budgets, targeting or target ROAS of their own any more. A campaign bids what
 * its best ad entered with: with another bid in the file, its ads bid that.
 */
export function exportCase(logged: LoggedAuction, request: LoggedRequest): Record<string, unknown> {
  const { auctionId, rules, bidders } = logged
  const campaigns = new Map<string, LoggedBidder[]>()
  for (const bidder of bidders) {
    campaigns.set(bidder.campaignId, [...(campaigns.get(bidder.campaignId) ?? []), bidder])
  }
  const caps = caseCaps(logged)
  return {
    description: `auction ${auctionId} as it was logged`,
    auctionId,
    now: request.occurredAt,
    rules: {
      ...caseReserve(rules),
      squashing: rules.squashing,
      maxPerMerchant: rules.maxPerMerchant,
      ...caps.rules,
    },
    campaigns: [...campaigns].map(([id, ads]) => ({
      ...caseCampaign(id, ads, logged.currency),
      ...caps.ofCampaign(id),
    })),
    predictions: Object.fromEntries(
      bidders.map(({ listingId, pctr, pcvr, relevance }) => [listingId, { pctr, pcvr, relevance }]),
    ),
    request: {
      placement: request.placement,
      ...(request.query !== '' && { query: request.query }),
      categories: request.categories,
      device: request.device,
      ...caps.request,
      organic: organicOf(logged, request),
      slots: { total: logged.totalSlots, sponsored: logged.forSale },
    },
    expect: {
      slots: bidders
        .filter(({ position }) => position > 0)
        .sort((a, b) => a.position - b.position)
        .map(({ position, listingId, campaignId, priceMicros, pricing }) => ({
          position,
          listingId,
          campaignId,
          price: formatPrice(priceMicros),
          pricing,
        })),
      rules: { reserveRule: rules.reserveRule || null },
    },
  }
}

/** The reserve that held, by the name of its rule. Whatever placement and category the rule is for, the request met it. */
function caseReserve({ reserveRule, reserveMicros, reserveCpmMicros }: RulesInForce) {
  const reserve = { reserve: formatPrice(reserveMicros), reserveCpm: formatPrice(reserveCpmMicros) }
  return reserveRule === '' ? reserve : { reserves: [{ name: reserveRule, ...reserve }] }
}

/**
 * A customer who has seen so much that frequency caps keep out whom they kept out: those of campaigns by the week, the one of merchants,
 * which is the same for all, by the hour.
 */
function caseCaps({ bidders, forSale }: LoggedAuction) {
  const mostOfCampaign = new Map<string, number>()
  const seenByHour = new Map<string, number>()
  const merchants = new Set<string>()
  for (const { campaignId, merchantId, limits = [] } of bidders) {
    for (const { reason, most } of limits) {
      if (reason === 'frequency_cap') mostOfCampaign.set(campaignId, most)
      else if (!merchants.has(merchantId)) {
        // One of its campaigns stands for all. A merchant that nothing was seen of could fill the page.
        seenByHour.set(campaignId, forSale.length - most)
        merchants.add(merchantId)
      }
    }
  }
  if (mostOfCampaign.size + merchants.size === 0) return { rules: {}, request: {}, ofCampaign: () => ({}) }
  return {
    rules: merchants.size > 0 ? { merchantFrequencyCap: { hour: forSale.length } } : {},
    request: { customer: { id: 'customer', consent: true } },
    ofCampaign(id: string) {
      const most = mostOfCampaign.get(id)
      const hour = seenByHour.get(id) ?? 0
      if (most === undefined) return hour > 0 ? { seen: { hour } } : {}
      // No cap is less than one.
      const week = Math.max(1, hour)
      return { frequencyCap: { week: most + week }, seen: { hour, week } }
    },
  }
}

function caseCampaign(id: string, ads: readonly LoggedBidder[], currency: string) {
  const [{ merchantId, pricing }] = ads as [LoggedBidder]
  const best = ads.map(({ bidMicros }) => bidMicros).reduce(maxMicros)
  return {
    id,
    merchantId,
    pricing,
    currency,
    bid: formatPrice(best),
    listings: ads.map(({ listingId }) => listingId),
    ads: ads.map(({ adId, listingId, bidMicros }) => ({
      id: adId,
      listingId,
      // Only a target ROAS makes ads of a campaign bid differently: this one bids no more, whatever the campaign may bid.
      ...(bidMicros < best && { bid: formatPrice(bidMicros) }),
    })),
  }
}

/** The page's organic results with the sponsored ones that were among them: what the layout of the page depends on. */
function organicOf({ bidders }: LoggedAuction, { organic }: LoggedRequest) {
  const known = new Map(organic.map((result) => [result.listingId, result]))
  for (const { listingId, organicRank, organicScore } of bidders) {
    if (organicRank === 0 || known.has(listingId)) continue
    known.set(listingId, { listingId, score: organicScore ?? 0, rank: organicRank })
  }
  return [...known.values()]
    .sort((a, b) => a.rank - b.rank)
    .map(({ listingId, score }) => ({ listingId, score }))
}
