import { EVENT_SCHEMA } from '@endcap/contracts'
import { FEATURE_COUNT, FEATURE_SET } from '@endcap/ranking'
import { type LossReason, qualityOf, type Ranked, scoreToFloat } from '../../domain/auction.js'
import type { SlatePredictions } from '../3-predict/predict.js'
import type { Slate, SlateRow } from '../3-predict/slate.js'
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
 * The record of one auction, as JSON of an `auctionEvent`: every shown slot and a few losers with their features as served, so that
 * training sees exactly what serving saw. Losers are drawn evenly; `random` gives numbers in [0, 1).
 * Printed by hand: it is the largest thing that a request writes. `post-rank.test.ts` holds it against the schema.
 */
export function printAuctionEvent(facts: AuctionFacts, random: () => number): string {
  const { request, slate, slots, predictions } = facts
  const { context } = request
  const losers = sample(facts.losers, LOSERS_LOGGED, random)
  const features = scratchFor((slots.length + losers.length) * FEATURE_COUNT)
  let candidates = ''
  let at = 0
  const keepFeatures = (row: number): void => {
    const from = row * FEATURE_COUNT
    for (let column = 0; column < FEATURE_COUNT; column++)
      features[at++] = predictions.features[from + column]!
  }
  for (const slot of slots) {
    candidates += `${candidates === '' ? '' : ','}${shownCandidate(slot, slate, predictions)}`
    keepFeatures(slot.row)
  }
  for (const loss of losers) {
    candidates += `${candidates === '' ? '' : ','}${lostCandidate(loss, slate)}`
    keepFeatures(loss.ranked.bidder.row)
  }
  const when = new Date(request.nowMs).toISOString()
  const query = facts.query.slice(0, QUERY_CHARACTERS_LOGGED).replace(BROKEN_PAIRS, '')
  const location = request.location ? { lat: request.location.lat, lng: request.location.lng } : null
  return (
    `{"id":${json(facts.eventId)},"type":"auction","schema":"${EVENT_SCHEMA}","occurredAt":"${when}","receivedAt":"${when}",` +
    `"source":"ad-server","key":${json(request.auctionId)},"data":{"auctionId":${json(request.auctionId)},` +
    `"requestId":${json(facts.requestId)},"placement":${json(context.placement)},"query":${json(query)},` +
    `"searchTerm":${json(context.searchTerm)},"categories":${json(context.categories)},"device":${json(context.device)},` +
    `"customerHash":"${request.customerHash}","sessionHash":"${facts.sessionHash}","location":${json(location)},` +
    `"modelVersion":${json(predictions.modelVersion)},"degraded":${json(facts.degraded)},"candidates":[${candidates}],` +
    `"featureSet":"${FEATURE_SET}","features":"${base64Of(features, at)}","drops":${json(facts.drops.counts)}}}`
  )
}

const json = (value: unknown): string => JSON.stringify(value)

// Printing is synchronous, so that no two events can use it at once.
let scratch = new Float32Array(64 * FEATURE_COUNT)

function scratchFor(values: number): Float32Array {
  if (scratch.length < values) scratch = new Float32Array(values * 2)
  return scratch
}

const base64Of = (values: Float32Array, count: number): string =>
  Buffer.from(values.buffer, values.byteOffset, count * Float32Array.BYTES_PER_ELEMENT).toString('base64')

/** Predictions of organic results are for reading: nothing is computed from them, and a short number costs half as much to print. */
const short = (probability: number): number => Math.round(probability * 1e7) / 1e7

function shownCandidate(slot: ServedSlot, slate: Slate, predictions: SlatePredictions): string {
  const { winner } = slot
  if (winner) {
    return `{"position":${slot.position},"outcome":"shown","reason":"","priceMicros":"${winner.priceMicros}",${sponsoredFields(winner.ranked)},${organicFields(slate, slot.row)}}`
  }
  // What is not said is what the schema says for an organic slot.
  return (
    `{"position":${slot.position},"outcome":"shown",${listingFields(slate.rows[slot.row]!)},"sponsored":false,` +
    `"pctr":${short(predictions.pctr[slot.row]!)},"pcvr":${short(predictions.pcvr[slot.row]!)},${organicFields(slate, slot.row)}}`
  )
}

const listingFields = ({ listing, listingId }: SlateRow): string =>
  listing ? listing.printed : `"listingId":${json(listingId)},"merchantId":""`

const lostCandidate = ({ ranked, reason }: Loss, slate: Slate): string =>
  `{"position":0,"outcome":"${DROP_REASONS[reason].outcome}","reason":"${reason}","priceMicros":"0",${sponsoredFields(ranked)},${organicFields(slate, ranked.bidder.row)}}`

function organicFields(slate: Slate, row: number): string {
  const { organicScore, organicRank } = slate.rows[row]!
  return `"organicScore":${organicScore ?? null},"organicRank":${organicRank}`
}

function sponsoredFields({ bidder, score, draw }: Ranked<Candidate>): string {
  const { pctr, pcvr } = bidder
  return (
    `${bidder.listing.printed},"sponsored":true,${bidder.ad.printed},"pricing":"${bidder.pricing}",` +
    `"bidMicros":"${bidder.bidMicros}","pctr":${pctr},"pcvr":${pcvr},"quality":${qualityOf(bidder)},"score":${scoreToFloat(score)},` +
    `"keyword":${json(bidder.keyword)}${draw === undefined ? '' : `,"tieDraw":${draw}`}`
  )
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
