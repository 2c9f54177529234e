import { type BidLandscape, createBidLandscape, type LandscapePoint } from '@endcap/auction'
import { type BidLandscapeAnswer, type BidLandscapeQuery, formatMoney } from '@endcap/contracts'
import { auctionsWithCampaign } from '@endcap/platform/clickhouse'
import { invalid } from '@endcap/platform/http'
import { readAuctions } from '../../auction-log/logged-auctions.js'
import type { CampaignsApiDeps } from '../../deps.js'
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
}

/**
 * What a campaign would have won at other bids. Runs at most `MAX_AUCTIONS` of the auctions that it bid in again, and scales up.
 * @throws validation_failed for a period beyond what is stored
 */
export async function estimateLandscape(
  deps: CampaignsApiDeps,
  { campaign, currency, from, to }: LandscapeInput,
): Promise<BidLandscapeAnswer> {
  const { fromMs, toMs } = periodOf({ from, to, timeZone: 'UTC' })
  const problems = periodProblems({ fromMs, toMs })
  if (problems.length > 0) {
    throw invalid(problems.map(({ path, message }) => ({ path: path.replace('/', '?'), message })))
  }
  const landscape = createBidLandscape(campaign.id, CHANGES_PERCENT)
  const { found, replayed } = await fromReportStore(async () => {
    const places = await deps.clickhouse.query(auctionsWithCampaign, {
      campaignId: campaign.id,
      merchantId: campaign.merchantId,
      from: fromMs,
      to: toMs,
      most: MAX_AUCTIONS,
    })
    let replayed = 0
    for (let start = 0; start < places.length; start += AUCTIONS_AT_ONCE) {
      const auctions = await readAuctions(deps.clickhouse, places.slice(start, start + AUCTIONS_AT_ONCE))
      for (const auction of auctions) landscape.add(auction)
      replayed += auctions.length
    }
    return { found: places[0]?.found ?? 0, replayed }
  })
  const scale = replayed === 0 ? 0 : found / replayed
  const { bids, points } = landscape.result()
  return {
    campaignId: campaign.id,
    currency,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    auctions: { found, replayed },
    bids: rounded(bids * scale),
    landscape: points.map((point) => presentPoint(point, bids, scale)),
  }
}

function presentPoint(
  { changePercent, wins, clicks, spendMicros }: LandscapePoint,
  bids: BidLandscape['bids'],
  scale: number,
): BidLandscapeAnswer['landscape'][number] {
  return {
    bidChange: changePercent / 100,
    wins: rounded(wins * scale),
    winRate: bids > 0 ? wins / bids : null,
    clicks: rounded(clicks * scale),
    spend: amount(spendMicros * scale),
    cpc: clicks > 0 ? amount(spendMicros / clicks) : null,
    cpm: wins > 0 ? amount((spendMicros / wins) * 1000) : null,
  }
}

/** Estimates are told to a hundredth: more digits would only look exact. */
const rounded = (value: number): number => Math.round(value * 100) / 100

const amount = (micros: number): string => formatMoney(BigInt(Math.round(micros)))
