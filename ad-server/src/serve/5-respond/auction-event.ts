import { type auctionCandidate, type auctionEvent, EVENT_SCHEMA } from '@endcap/contracts'
import { FEATURE_COUNT, FEATURE_SET } from '@endcap/ranking'
import type { z } from 'zod'
import { type LossReason, qualityOf, type Ranked, scoreToFloat, type Winner } from '../../domain/auction.js'
import type { SlatePredictions } from '../3-predict/predict.js'
import type { Slate } from '../3-predict/slate.js'
import type { AdRequest } from '../ad-request.js'
import type { Candidate } from '../candidate.js'
import { DROP_REASONS, type DropLedger } from '../drop-reasons.js'
import type { ServedSlot } from './served-slot.js'

export const LOSERS_LOGGED = 8
const QUERY_CHARACTERS_LOGGED = 200
/** Half a surrogate pair, which the cut can leave: not every reader of the log takes one. */
const BROKEN_PAIRS = /\p{Cs}/gu

export interface Loss {
  readonly ranked: Ranked<Candidate>
  readonly reason: LossReason | 'page_ended' | 'not_recorded'
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
 * The record of one auction, as JSON of an `auctionEvent`: every shown slot and a few losers with their features as served, so that
 * training sees exactly what serving saw. Losers are drawn evenly; `random` gives numbers in [0, 1).
 */
export function printAuctionEvent(facts: AuctionFacts, random: () => number): string {
  const { request, slate, slots, predictions } = facts
  const { context } = request
  const candidates: PrintedCandidate[] = []
  const features = featureRows(slots.length + LOSERS_LOGGED)
  for (const slot of slots) {
    candidates.push(
      slot.winner ? soldSlot(slot.position, slot.winner, slate) : organicSlot(slot, slate, predictions),
    )
    features.keep(predictions.features, slot.row)
  }
  for (const loss of sample(facts.losers, LOSERS_LOGGED, random)) {
    candidates.push(lostCandidate(loss, slate))
    features.keep(predictions.features, loss.ranked.bidder.row)
  }
  const when = new Date(request.nowMs).toISOString()
  const event: PrintedEvent = {
    id: facts.eventId,
    type: 'auction',
    schema: EVENT_SCHEMA,
    occurredAt: when,
    receivedAt: when,
    source: 'ad-server',
    key: request.auctionId,
    data: {
      auctionId: request.auctionId,
      requestId: facts.requestId,
      placement: context.placement,
      query: facts.query.slice(0, QUERY_CHARACTERS_LOGGED).replace(BROKEN_PAIRS, ''),
      searchTerm: context.searchTerm,
      categories: context.categories as string[],
      device: context.device,
      customerHash: request.customerHash,
      sessionHash: facts.sessionHash,
      location: request.location ? { lat: request.location.lat, lng: request.location.lng } : null,
      modelVersion: predictions.modelVersion,
      degraded: facts.degraded as string[],
      candidates,
      featureSet: FEATURE_SET,
      features: features.toBase64(),
      drops: facts.drops.counts as Record<string, number>,
    },
  }
  return JSON.stringify(event)
}

type PrintedEvent = z.input<typeof auctionEvent>
type PrintedCandidate = z.input<typeof auctionCandidate>

// Printing is synchronous, so that no two events can use it at once.
let scratch = new Float32Array(64 * FEATURE_COUNT)

/** Gathers feature rows one after the other. */
function featureRows(most: number) {
  if (scratch.length < most * FEATURE_COUNT) scratch = new Float32Array(most * FEATURE_COUNT * 2)
  let at = 0
  return {
    keep(features: Float32Array, row: number): void {
      const from = row * FEATURE_COUNT
      for (let column = 0; column < FEATURE_COUNT; column++) scratch[at++] = features[from + column]!
    },
    toBase64: (): string =>
      Buffer.from(scratch.buffer, 0, at * Float32Array.BYTES_PER_ELEMENT).toString('base64'),
  }
}

/** Predictions of organic results are for reading: nothing is computed from them, and a short number costs half as much to print. */
const short = (probability: number): number => Math.round(probability * 1e7) / 1e7

/** What is left out is what the schema says for an organic slot. */
function organicSlot(slot: ServedSlot, slate: Slate, { pctr, pcvr }: SlatePredictions): PrintedCandidate {
  const { listing, organicScore, organicRank } = slate.rows[slot.row]!
  return {
    position: slot.position,
    listingId: slot.listingId,
    merchantId: listing?.merchantId ?? '',
    sponsored: false,
    outcome: 'shown',
    pctr: short(pctr[slot.row]!),
    pcvr: short(pcvr[slot.row]!),
    organicScore: organicScore ?? null,
    organicRank,
  }
}

const soldSlot = (
  position: number,
  { ranked, priceMicros }: Winner<Candidate>,
  slate: Slate,
): PrintedCandidate => sponsoredCandidate(ranked, slate, position, 'shown', '', priceMicros.toString())

const lostCandidate = ({ ranked, reason }: Loss, slate: Slate): PrintedCandidate =>
  sponsoredCandidate(ranked, slate, 0, DROP_REASONS[reason].outcome, reason, '0')

function sponsoredCandidate(
  { bidder, score, draw }: Ranked<Candidate>,
  slate: Slate,
  position: number,
  outcome: PrintedCandidate['outcome'],
  reason: string,
  priceMicros: string,
): PrintedCandidate {
  const { organicScore, organicRank } = slate.rows[bidder.row]!
  return {
    position,
    listingId: bidder.listingId,
    merchantId: bidder.merchantId,
    sponsored: true,
    campaignId: bidder.campaign.id,
    adId: bidder.adId,
    outcome,
    reason,
    pricing: bidder.pricing,
    bidMicros: bidder.bidMicros.toString(),
    priceMicros,
    pctr: bidder.pctr,
    pcvr: bidder.pcvr,
    quality: qualityOf(bidder),
    score: scoreToFloat(score),
    organicScore: organicScore ?? null,
    organicRank,
    keyword: bidder.keyword,
    tieDraw: draw,
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
