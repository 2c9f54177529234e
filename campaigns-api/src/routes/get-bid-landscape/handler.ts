import { createBidLandscape, type LandscapePoint } from '@endcap/auction'
import { type BidLandscapeAnswer, type BidLandscapeQuery, formatMoney } from '@endcap/contracts'
import { invalid } from '@endcap/platform/http'
import { auctionsWithCampaign, auctionsWithCampaignByDay } from '@endcap/storage/clickhouse'
import { type AuctionPlace, readAuctions } from '../../auction-log/logged-auctions.js'
import type { CampaignsApiDeps } from '../../deps.js'
import {
  addedUp,
  byUtcDay,
  LANDSCAPE_RULES,
  type LandscapePart,
  type Span,
  settledDays,
} from '../../domain/landscape.js'
import { periodOf, periodProblems } from '../../reports/period.js'
import { fromReportStore } from '../../reports/report-store.js'

const CHANGES_PERCENT = [-20, -10, 0, 10, 25, 50]
/** Enough to tell the levels apart, few enough to be run while somebody waits. */
const MAX_AUCTIONS = 1000
/** Auctions read and run at once: the process answers others in between. */
const AUCTIONS_AT_ONCE = 100

interface LandscapeInput extends BidLandscapeQuery {
  readonly campaign: { readonly id: string; readonly merchantId: string }
  readonly currency: string
  /** Operators may know every bid; others are told of days with enough auctions only. */
  readonly forOperator: boolean
}

/**
 * What a campaign would have won at other bids. Runs some of the auctions that it bid in again, and scales up.
 * @throws validation_failed for a period beyond what is stored
 */
export async function estimateLandscape(
  deps: CampaignsApiDeps,
  { campaign, currency, from, to, forOperator }: LandscapeInput,
): Promise<BidLandscapeAnswer> {
  const { fromMs, toMs } = periodOf({ from, to, timeZone: 'UTC' })
  const problems = periodProblems({ fromMs, toMs })
  if (problems.length > 0) {
    throw invalid(problems.map(({ path, message }) => ({ path: path.replace('/', '?'), message })))
  }
  const partsOf = forOperator ? wholePeriod : daysThatCount
  const { parts, leftOut } = await fromReportStore(() => partsOf(deps, campaign, { fromMs, toMs }))
  const { found, replayed, landscape } = addedUp(CHANGES_PERCENT, parts)
  return {
    campaignId: campaign.id,
    currency,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    auctions: { found, replayed, leftOut },
    bids: rounded(landscape.bids),
    landscape: landscape.points.map((point) => presentPoint(point, landscape.bids)),
  }
}

interface LandscapeParts {
  readonly parts: readonly LandscapePart[]
  /** How many auctions are in no part. */
  readonly leftOut: number
}

/** Every auction of the period, as one part. */
async function wholePeriod(
  deps: CampaignsApiDeps,
  campaign: LandscapeInput['campaign'],
  { fromMs, toMs }: Span,
): Promise<LandscapeParts> {
  const places = await deps.clickhouse.query(auctionsWithCampaign, {
    campaignId: campaign.id,
    merchantId: campaign.merchantId,
    from: fromMs,
    to: toMs,
    most: MAX_AUCTIONS,
  })
  return { parts: [await run(deps, campaign.id, places)], leftOut: 0 }
}

/** A part for each day of the period that counts by `LANDSCAPE_RULES`. */
async function daysThatCount(
  deps: CampaignsApiDeps,
  campaign: LandscapeInput['campaign'],
  period: Span,
): Promise<LandscapeParts> {
  const { minAuctionsADay, mostAuctionsADay } = LANDSCAPE_RULES
  const places = await deps.clickhouse.query(auctionsWithCampaignByDay, {
    campaignId: campaign.id,
    merchantId: campaign.merchantId,
    from: period.fromMs,
    to: period.toMs,
    most: mostAuctionsADay,
  })
  const settled = settledDays(period, deps.clock())
  const parts: LandscapePart[] = []
  let leftOut = 0
  for (const [day, ofDay] of byUtcDay(places)) {
    const { found } = ofDay[0]!
    const mayCount = day >= settled.fromMs && day < settled.toMs && found >= minAuctionsADay
    const part = mayCount ? await run(deps, campaign.id, ofDay) : undefined
    // What can't be run again is no part of the sum, so that it must not help a day over the least number.
    if (part && part.replayed >= minAuctionsADay) parts.push(part)
    else leftOut += found
  }
  return { parts, leftOut }
}

/** Runs the auctions at these places, each of which knows how many there are, as far as they can be run again. */
async function run(
  { clickhouse }: CampaignsApiDeps,
  campaignId: string,
  places: readonly (AuctionPlace & { readonly found: number })[],
): Promise<LandscapePart> {
  const landscape = createBidLandscape(campaignId, CHANGES_PERCENT)
  let replayed = 0
  for (let start = 0; start < places.length; start += AUCTIONS_AT_ONCE) {
    const auctions = await readAuctions(clickhouse, places.slice(start, start + AUCTIONS_AT_ONCE))
    for (const auction of auctions) landscape.add(auction)
    replayed += auctions.length
  }
  return { found: places[0]?.found ?? 0, replayed, landscape: landscape.result() }
}

function presentPoint(
  { changePercent, wins, clicks, spendMicros }: LandscapePoint,
  bids: number,
): BidLandscapeAnswer['landscape'][number] {
  return {
    bidChange: changePercent / 100,
    wins: rounded(wins),
    winRate: bids > 0 ? wins / bids : null,
    clicks: rounded(clicks),
    spend: amount(spendMicros),
    cpc: clicks > 0 ? amount(spendMicros / clicks) : null,
    cpm: wins > 0 ? amount((spendMicros / wins) * 1000) : null,
  }
}

/** Estimates are told to a hundredth: more digits would only look exact. */
const rounded = (value: number): number => Math.round(value * 100) / 100

const amount = (micros: number): string => formatMoney(BigInt(Math.round(micros)))
