import { type AuctionCandidate, type AuctionData, type AuctionEvent, EVENT_SCHEMA } from '@endcap/contracts'
import { FEATURE_COUNT, FEATURE_SET } from '@endcap/ranking'
import { type LossReason, qualityOf, type Ranked, scoreToFloat } from '../../domain/auction.js'
import type { AdIndex } from '../../index/ad-index.js'
import type { SlatePredictions } from '../3-predict/predict.js'
import type { Slate } from '../3-predict/slate.js'
import type { AdRequest } from '../ad-request.js'
import type { Candidate } from '../candidate.js'
import { DROP_REASONS, type DropLedger } from '../drop-reasons.js'
import type { ServedSlot } from './served-slot.js'

export const LOSERS_LOGGED = 8
const QUERY_CHARACTERS_LOGGED = 200
/** Half a surrogate pair, as sent or as left by the cut: not every reader of the log takes one. */
const BROKEN_PAIRS = /\p{Cs}/gu

export interface Loss {
  readonly ranked: Ranked<Candidate>
  readonly reason: LossReason | 'page_ended'
}

export interface AuctionFacts {
  readonly eventId: string
  readonly requestId: string
  readonly request: AdRequest
  readonly query: string
  readonly sessionHash: string
  readonly slots: readonly ServedSlot[]
  readonly losers: readonly Loss[]
  readonly slate: Slate
  readonly predictions: SlatePredictions
  readonly drops: DropLedger
  readonly degraded: readonly string[]
}

/**
 * The record of one auction: every shown slot and a few losers with their features as served, so that training sees exactly
 * what serving saw. Losers are drawn evenly; `random` gives numbers in [0, 1).
 */
export function auctionEventOf(facts: AuctionFacts, index: AdIndex, random: () => number): AuctionEvent {
  const { request, slate, predictions } = facts
  const losers = sample(facts.losers, LOSERS_LOGGED, random)
  const candidates = [
    ...facts.slots.map((slot) => shownCandidate(slot, slate, predictions, index)),
    ...losers.map((loss) => lostCandidate(loss, slate)),
  ]
  const rows = [...facts.slots.map(({ row }) => row), ...losers.map(({ ranked }) => ranked.bidder.row)]
  const at = new Date(request.nowMs).toISOString()
  const data: AuctionData = {
    auctionId: request.auctionId,
    requestId: facts.requestId,
    placement: request.context.placement,
    query: facts.query.slice(0, QUERY_CHARACTERS_LOGGED).replace(BROKEN_PAIRS, ''),
    searchTerm: request.context.searchTerm,
    categories: [...request.context.categories],
    device: request.context.device,
    customerHash: request.customerHash,
    sessionHash: facts.sessionHash,
    location: request.location ? { lat: request.location.lat, lng: request.location.lng } : null,
    modelVersion: predictions.modelVersion,
    degraded: [...facts.degraded],
    candidates,
    featureSet: FEATURE_SET,
    features: encodeFeatures(predictions.features, rows),
    drops: { ...facts.drops.counts },
  }
  return {
    id: facts.eventId,
    type: 'auction',
    schema: EVENT_SCHEMA,
    occurredAt: at,
    receivedAt: at,
    source: 'ad-server',
    key: request.auctionId,
    data,
  }
}

function shownCandidate(
  slot: ServedSlot,
  slate: Slate,
  predictions: SlatePredictions,
  index: AdIndex,
): AuctionCandidate {
  const { organicScore, organicRank } = slate.rows[slot.row]!
  const { winner } = slot
  if (winner) {
    return {
      ...sponsoredFields(winner.ranked),
      position: slot.position,
      outcome: 'shown',
      reason: '',
      priceMicros: winner.priceMicros.toString(),
      organicScore: organicScore ?? null,
      organicRank,
    }
  }
  const pctr = predictions.pctr[slot.row]!
  return {
    position: slot.position,
    listingId: slot.listingId,
    merchantId: index.listing(slot.listingId)?.merchantId ?? '',
    sponsored: false,
    campaignId: '',
    adId: '',
    outcome: 'shown',
    reason: '',
    pricing: '',
    bidMicros: '0',
    priceMicros: '0',
    pctr,
    pcvr: predictions.pcvr[slot.row]!,
    quality: pctr,
    score: 0,
    organicScore: organicScore ?? null,
    organicRank,
  }
}

function lostCandidate({ ranked, reason }: Loss, slate: Slate): AuctionCandidate {
  const { organicScore, organicRank } = slate.rows[ranked.bidder.row]!
  return {
    ...sponsoredFields(ranked),
    position: 0,
    outcome: DROP_REASONS[reason].outcome,
    reason,
    priceMicros: '0',
    organicScore: organicScore ?? null,
    organicRank,
  }
}

function sponsoredFields({ bidder, score, draw }: Ranked<Candidate>) {
  return {
    listingId: bidder.listingId,
    merchantId: bidder.merchantId,
    sponsored: true,
    campaignId: bidder.campaign.id,
    adId: bidder.adId,
    pricing: bidder.pricing,
    bidMicros: bidder.bidMicros.toString(),
    pctr: bidder.pctr,
    pcvr: bidder.pcvr,
    quality: qualityOf(bidder),
    score: scoreToFloat(score),
    keyword: bidder.keyword,
    ...(draw === undefined ? {} : { tieDraw: draw }),
  }
}

/** Evenly without replacement, by reservoir. */
function sample<T>(items: readonly T[], most: number, random: () => number): T[] {
  const kept = items.slice(0, most)
  for (let i = most; i < items.length; i++) {
    const at = Math.floor(random() * (i + 1))
    if (at < most) kept[at] = items[i]!
  }
  return kept
}

/** Base64 of little-endian float32, the rows in the order given. */
function encodeFeatures(features: Float32Array, rows: readonly number[]): string {
  const chosen = new Float32Array(rows.length * FEATURE_COUNT)
  rows.forEach((row, i) => {
    chosen.set(features.subarray(row * FEATURE_COUNT, (row + 1) * FEATURE_COUNT), i * FEATURE_COUNT)
  })
  return Buffer.from(chosen.buffer).toString('base64')
}
