import { fitLogistic, logisticModelToOnnx, predictLogistic } from '@endcap/models'
import {
  accumulateStats,
  computeFeatures,
  encodeStats,
  FEATURE_COUNT,
  FEATURE_NAMES,
  FEATURE_SET,
  GOLDEN_ROWS,
  type ModelMetadata,
  normaliseText,
  rankedListing,
  type SlateCandidate,
  slateContext,
} from '@endcap/ranking'
import type { BenchMarket, RankRequest } from './market.js'
import { seededRandom } from './random.js'
import { createTreeModel } from './trees.js'

export interface BenchModel {
  readonly onnx: Uint8Array
  /** Encoded statistics. */
  readonly stats: Uint8Array
  readonly version: string
  /** The feature rows of one request's slate, as a raw run of the model takes them. */
  readonly batch: Float32Array
  readonly batchRows: number
}

const IMPRESSIONS_A_LISTING = 40
const CLICK_RATE = 0.06
const ORDER_RATE = 0.1
const SLATES = 30
export const BENCH_MODEL_VERSION = 'mdl_bench'

/** `logistic`: what `endcap train` makes. `trees`: of the size that gradient boosting makes. */
export type ModelKind = 'logistic' | 'trees'

/** A history of the market and a model of features of it. */
export function createBenchModel(market: BenchMarket, kind: ModelKind = 'logistic'): BenchModel {
  const random = seededRandom(7)
  const history = accumulateStats()
  for (const listing of market.listings) {
    const request = market.requests.find(({ categories }) => categories[0] === listing.category)!
    for (let seen = 0; seen < IMPRESSIONS_A_LISTING; seen++) {
      const event = {
        listingId: listing.id,
        searchTerm: seen % 2 === 0 ? normaliseText(request.query) : '',
        categories: [listing.category],
        position: 1 + Math.floor(random() * 24),
      }
      history.add({ ...event, type: 'impression' })
      if (random() < CLICK_RATE) {
        history.add({ ...event, type: 'click' })
        if (random() < ORDER_RATE) history.add({ ...event, type: 'order' })
      }
    }
  }
  const slates = market.requests.slice(0, SLATES).map((request) => slateOf(market, request))
  const rows = slates.reduce((sum, { candidates }) => sum + candidates.length, 0)
  const features = new Float32Array(rows * FEATURE_COUNT)
  let at = 0
  for (const { request, candidates } of slates) {
    computeFeatures(
      slateContext({ ...request, atMs: 0 }),
      candidates,
      history,
      features.subarray(at * FEATURE_COUNT),
    )
    at += candidates.length
  }
  const instant = '2026-01-01T00:00:00.000Z'
  const metadata = {
    version: BENCH_MODEL_VERSION,
    featureSet: FEATURE_SET,
    featureNames: FEATURE_NAMES,
    priorCtr: CLICK_RATE,
    priorCvr: ORDER_RATE,
    trainedFrom: instant,
    trainedTo: instant,
    createdAt: instant,
  }
  const golden = features.slice(0, GOLDEN_ROWS * FEATURE_COUNT)
  return {
    onnx:
      kind === 'trees'
        ? createTreeModel(features, FEATURE_COUNT, metadata, golden)
        : createLogisticModel(features, metadata, golden),
    stats: encodeStats(history.snapshot('bench')),
    version: BENCH_MODEL_VERSION,
    batch: features.slice(0, slates[0]!.candidates.length * FEATURE_COUNT),
    batchRows: slates[0]!.candidates.length,
  }
}

/** The organic results and the matching ads of a request, as serving puts them together. */
function slateOf(market: BenchMarket, request: RankRequest) {
  const listings = new Map(market.listings.map((listing) => [listing.id, listing]))
  const known = (id: string): SlateCandidate['listing'] => {
    const { title, category, price } = listings.get(id)!
    return rankedListing({ id, title, categories: [category], price: Number(price) })
  }
  const organic = request.organic.map(({ listingId, score }, index) => ({
    listing: known(listingId),
    listingId,
    organicScore: score,
    organicRank: index + 1,
  }))
  const ads = market.campaigns
    .filter(({ keyword }) => request.query.endsWith(keyword.text))
    .map(({ listing }) => ({
      listing: known(listing),
      listingId: listing,
      organicScore: undefined,
      organicRank: 0,
    }))
  return { request, candidates: [...organic, ...ads] }
}

function createLogisticModel(
  features: Float32Array,
  metadata: Omit<ModelMetadata, 'golden'>,
  golden: Float32Array,
): Uint8Array {
  const random = seededRandom(5)
  const rows = features.length / FEATURE_COUNT
  const chance = FEATURE_NAMES.indexOf('title_match')
  const labels = Uint8Array.from({ length: rows }, (_, row) =>
    random() < CLICK_RATE * (0.5 + features[row * FEATURE_COUNT + chance]!) ? 1 : 0,
  )
  const model = fitLogistic({ rows, columns: FEATURE_COUNT, features, labels }, { l2: 1 })
  const predictions = predictLogistic(model, golden, GOLDEN_ROWS)
  const head = { model, platt: { slope: 1, offset: 0 } }
  return logisticModelToOnnx({
    ctr: head,
    cvr: head,
    metadata: { ...metadata, golden: { features: golden, pctr: predictions, pcvr: predictions } },
  })
}
