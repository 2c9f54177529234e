import type { AuctionCandidate, AuctionEvent, InteractionEvent, InteractionType } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import {
  accumulateStats,
  computeFeatures,
  encodeFloats,
  FEATURE_COUNT,
  FEATURE_SET,
  rankedListing,
  slateContext,
  termHash,
  termHashesOf,
} from '@endcap/ranking'
import {
  type AttributionRow,
  attributionsTable,
  auctionSlotRows,
  auctionSlotsTable,
  interactionsTable,
} from '@endcap/storage/clickhouse'

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface MarketOptions {
  readonly auctions: number
  readonly seed: number
  readonly startMs: number
  /** Of the first auction; others follow. Markets in one store must not share numbers. Default 0. */
  readonly firstNumber?: number
  /** Clicks that do not depend on anything a model could know. */
  readonly blindClicks?: boolean
  /** Shoppers on phones click and buy what is cheap, those at desks what is dear: neither tells anything alone. */
  readonly crossedTastes?: boolean
}

interface ServedAuction {
  readonly event: AuctionEvent
  readonly features: Float32Array
}

export interface Market {
  readonly served: readonly ServedAuction[]
  readonly interactions: readonly InteractionEvent[]
  readonly attributions: readonly AttributionRow[]
}

const SLOTS = 8
const LISTINGS = 60
const TERMS = ['red', 'shoe', 'bag', 'watch', 'coat'] as const

/**
 * Auctions as an ad-server would log them: features by `computeFeatures` from what happened before, position bias 1/√position, and
 * shoppers who like relevant, cheap listings of a hidden quality. Every shown slot is seen; a third of clicks earn an order.
 */
export function syntheticMarket(options: MarketOptions): Market {
  const random = seededRandom(options.seed)
  const stats = accumulateStats()
  const listings = Array.from({ length: LISTINGS }, (_, index) => ({
    quality: random() * 2 - 1,
    ranked: rankedListing({
      id: `L${index}`,
      title: `${TERMS[index % TERMS.length]} ${TERMS[(index * 3 + 1) % TERMS.length]} model ${index}`,
      categories: [`c${index % 6}`],
      price: 5 + random() * 50,
    }),
  }))
  const served: ServedAuction[] = []
  const interactions: InteractionEvent[] = []
  const attributions: AttributionRow[] = []
  for (let number = 0; number < options.auctions; number++) {
    const atMs = options.startMs + number * 1000
    const query = TERMS[Math.floor(random() * TERMS.length)]!
    const device = options.crossedTastes && number % 2 === 1 ? 'desktop' : 'mobile'
    const context = slateContext({ query, device, placement: 'search', atMs })
    const start = Math.floor(random() * LISTINGS)
    // 7 and 60 have no common factor: a listing never stands twice in a slate.
    const slate = Array.from({ length: SLOTS }, (_, index) => listings[(start + index * 7) % LISTINGS]!)
    const candidates = slate.map(({ ranked }, index) => ({
      listing: ranked,
      listingId: ranked.id,
      organicScore: SLOTS - index,
      organicRank: index + 1,
    }))
    const features = new Float32Array(SLOTS * FEATURE_COUNT)
    computeFeatures(context, candidates, stats, features)
    const event = auctionEvent((options.firstNumber ?? 0) + number, atMs, query, features, candidates)
    served.push({ event, features })
    for (const [index, { ranked, quality }] of slate.entries()) {
      const position = index + 1
      const taste = termHashesOf(ranked.title).includes(termHash(query)) ? 1.2 : -0.8
      const dearness = Math.log(ranked.price / 25)
      const crossed = (device === 'mobile' ? -3 : 3) * dearness
      const usual = options.crossedTastes ? crossed : taste + quality - dearness
      const appeal = options.blindClicks ? -1 : usual - 1
      const chance = (options.blindClicks ? 1 : 1 / Math.sqrt(position)) / (1 + Math.exp(-appeal))
      const clicked = random() < chance
      const seen = { listingId: ranked.id, searchTerm: query, categories: ranked.categories, position }
      interactions.push(interaction('impression', event, position, ranked.id, atMs + 100))
      stats.add({ type: 'impression', ...seen })
      if (!clicked) continue
      interactions.push(interaction('click', event, position, ranked.id, atMs + 300))
      stats.add({ type: 'click', ...seen })
      if (random() < (options.crossedTastes ? 1 / (1 + Math.exp(-crossed)) : 1 / 3)) {
        attributions.push(attribution(event, position, ranked.id, query, atMs + 500))
        stats.add({ type: 'order', ...seen })
      }
    }
  }
  return { served, interactions, attributions }
}

function auctionEvent(
  number: number,
  atMs: number,
  query: string,
  features: Float32Array,
  slate: readonly {
    readonly listingId: string
    readonly organicScore: number
    readonly organicRank: number
  }[],
): AuctionEvent {
  const auctionId = `auc_${String(number).padStart(8, '0')}`
  const at = new Date(atMs).toISOString()
  return {
    id: `evt_${auctionId}`,
    type: 'auction',
    schema: '1-0-0',
    occurredAt: at,
    receivedAt: at,
    source: 'test',
    key: auctionId,
    data: {
      auctionId,
      requestId: auctionId,
      placement: 'search',
      query,
      searchTerm: query,
      categories: [],
      device: 'mobile',
      customerHash: '',
      sessionHash: '',
      location: null,
      modelVersion: '',
      degraded: [],
      terms: null,
      candidates: slate.map((candidate, index) => shownSlot(candidate, index + 1)),
      featureSet: FEATURE_SET,
      features: encodeFloats(features),
      drops: {},
    },
  }
}

const shownSlot = (
  candidate: { readonly listingId: string; readonly organicScore: number; readonly organicRank: number },
  position: number,
): AuctionCandidate => ({
  position,
  listingId: candidate.listingId,
  merchantId: 'mer_1',
  sponsored: false,
  campaignId: '',
  adId: '',
  outcome: 'shown',
  reason: '',
  pricing: '',
  bidMicros: '0',
  priceMicros: '0',
  pctr: 0.1,
  pcvr: 0.1,
  quality: 1,
  score: 1,
  organicScore: candidate.organicScore,
  organicRank: candidate.organicRank,
  relevance: 0,
  sampleProbability: 1,
})

export function interaction(
  type: InteractionType,
  { data: { auctionId, searchTerm } }: AuctionEvent,
  position: number,
  listingId: string,
  atMs: number,
): InteractionEvent {
  const at = new Date(atMs).toISOString()
  return {
    id: `${type}_${auctionId}_${position}`,
    type,
    schema: '1-0-0',
    occurredAt: at,
    receivedAt: at,
    source: 'test',
    key: 'mer_1',
    data: {
      token: '',
      auctionId,
      position,
      listingId,
      merchantId: 'mer_1',
      campaignId: '',
      adId: '',
      sponsored: false,
      placement: 'search',
      searchTerm,
      device: 'mobile',
      modelVersion: '',
      customerHash: '',
      channel: 'api',
      client: { addressHash: '', userAgent: '' },
      suspicions: [],
    },
  }
}

const attribution = (
  { data: { auctionId } }: AuctionEvent,
  position: number,
  listingId: string,
  searchTerm: string,
  atMs: number,
): AttributionRow => ({
  orderId: `ord_${auctionId}_${position}`,
  lineId: '1',
  model: 'last_touch',
  orderAtMs: atMs,
  customerHash: 'c',
  listingId,
  merchantId: 'mer_1',
  quantity: 1,
  salesMicros: 10_000_000n,
  currency: 'EUR',
  touchEventId: `click_${auctionId}_${position}`,
  touchType: 'click',
  touchAtMs: atMs,
  auctionId,
  position,
  placement: 'search',
  searchTerm,
  device: 'mobile',
  modelVersion: '',
  campaignId: '',
  adId: '',
  sponsored: false,
  version: 1n,
})

/** Stores a market as ingest would; `batch` tells two markets apart. */
export async function storeMarket(clickhouse: ClickHouse, market: Market, batch: string): Promise<void> {
  const slots = market.served.flatMap(({ event }) => auctionSlotRows({ event, batch }))
  await clickhouse.insert(auctionSlotsTable, slots, { token: `${batch}:slots` })
  const interactions = market.interactions.map((event) => ({ event, batch }))
  await clickhouse.insert(interactionsTable, interactions, { token: `${batch}:interactions` })
  await clickhouse.insert(attributionsTable, market.attributions, { token: `${batch}:attributions` })
}
