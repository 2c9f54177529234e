import type { FitInput } from '@endcap/models'
import {
  accumulateStats,
  computeFeatures,
  FEATURE_COUNT,
  FEATURE_NAMES,
  type FeatureName,
  GOLDEN_ROWS,
  POSITION_COLUMN,
  positionFeature,
  rankedListing,
  type SlateCandidate,
  type StatsAccumulator,
  slateContext,
} from '@endcap/ranking'
import { type BenchMarket, type RankRequest, SLOTS } from './market.js'
import { seededRandom, shuffled } from './random.js'

const VISIT_MS = 30_000
const [TRAIN_SHARE, VALIDATION_SHARE] = [0.6, 0.8]

/** What shoppers did in a market, as a training set and as the statistics that came of it. */
export interface History {
  readonly rows: FitInput
  readonly stats: StatsAccumulator
}

/**
 * Each visit shows a slate in random order and its features are those of that moment. Shoppers click what answers the query, is of a
 * hidden quality, stands high and costs neither too much nor too little, which phones are stricter about: more than a line can tell.
 */
export function visitMarket(market: BenchMarket, visits: number): History {
  const random = seededRandom(7)
  const stats = accumulateStats()
  const listings = candidatesOf(market)
  const quality = new Map(market.listings.map(({ id }) => [id, random() * 2 - 1]))
  const rows = visits * SLOTS
  const features = new Float32Array(rows * FEATURE_COUNT)
  const clicked = new Uint8Array(rows)
  const ordered = new Uint8Array(rows)
  const positions = Uint16Array.from({ length: rows }, (_, row) => 1 + (row % SLOTS))
  for (let visit = 0; visit < visits; visit++) {
    const request = market.requests[Math.floor(random() * market.requests.length)]!
    const slate = shuffled(listings(request), random).slice(0, SLOTS)
    const context = slateContext({ ...request, atMs: visit * VISIT_MS })
    const page = features.subarray(visit * SLOTS * FEATURE_COUNT, (visit + 1) * SLOTS * FEATURE_COUNT)
    computeFeatures(context, slate, stats, page)
    for (const [index, { listingId }] of slate.entries()) {
      const row = visit * SLOTS + index
      const position = index + 1
      const own = page.subarray(index * FEATURE_COUNT, (index + 1) * FEATURE_COUNT)
      own[POSITION_COLUMN] = positionFeature(position)
      const seen = { listingId, searchTerm: context.searchTerm, categories: request.categories, position }
      stats.add({ ...seen, type: 'impression' })
      const worth = worthOf(own) + quality.get(listingId)!
      if (random() >= chanceOf(worth + attentionOf(own) - 1.5)) continue
      clicked[row] = 1
      stats.add({ ...seen, type: 'click' })
      if (random() >= chanceOf(worth - 2)) continue
      ordered[row] = 1
      stats.add({ ...seen, type: 'order' })
    }
  }
  return {
    stats,
    rows: {
      rows,
      columns: FEATURE_COUNT,
      features,
      clicked,
      ordered,
      positions,
      trainEnd: Math.floor(rows * TRAIN_SHARE),
      validationEnd: Math.floor(rows * VALIDATION_SHARE),
      goldenRows: GOLDEN_ROWS,
    },
  }
}

const value = (row: Float32Array, name: FeatureName): number => row[FEATURE_NAMES.indexOf(name)]!

/** In log-odds: a price near the slate's median is liked best, and phones are stricter about it. */
function worthOf(row: Float32Array): number {
  const strictness = value(row, 'device_mobile') === 1 ? 2 : 0.5
  return -strictness * Math.abs(value(row, 'price_to_median'))
}

const attentionOf = (row: Float32Array): number =>
  1.5 * value(row, 'title_match') - 0.7 * value(row, 'log_position')

const chanceOf = (logOdds: number): number => 1 / (1 + Math.exp(-logOdds))

/** The organic results and the matching ads of a request, as serving puts them together. */
export function candidatesOf(market: BenchMarket): (request: RankRequest) => SlateCandidate[] {
  const listings = new Map(
    market.listings.map(({ id, title, category, price }) => [
      id,
      rankedListing({ id, title, categories: [category], price: Number(price) }),
    ]),
  )
  return ({ organic, query }) => {
    const ads = market.campaigns.filter(({ keyword }) => query.endsWith(keyword.text))
    return [
      ...organic.map(({ listingId, score }, index) => ({
        listing: listings.get(listingId)!,
        listingId,
        organicScore: score,
        organicRank: index + 1,
      })),
      ...ads.map(({ listing }) => ({
        listing: listings.get(listing)!,
        listingId: listing,
        organicScore: undefined,
        organicRank: 0,
      })),
    ]
  }
}
