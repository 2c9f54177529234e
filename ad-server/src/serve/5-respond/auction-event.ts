import {
  type LoserRole,
  type LossReason,
  qualityOf,
  type Ranked,
  type RulesInForce,
  scoreToFloat,
  type Winner,
} from '@endcap/auction'
import {
  type auctionEvent,
  type CandidateFields,
  columnsOf,
  newEvent,
  type OrganicFields,
  type SponsoredFields,
} from '@endcap/contracts'
import { FEATURE_COUNT, FEATURE_SET } from '@endcap/ranking'
import type { z } from 'zod'
import type { SlatePredictions } from '../3-predict/predict.js'
import type { Slate } from '../3-predict/slate.js'
import type { AdRequest } from '../ad-request.js'
import type { Candidate } from '../candidate.js'
import { DROP_REASONS, type DropLedger } from '../drop-reasons.js'
import type { ServedSlot } from './served-slot.js'

/** How many losers that had nothing to do with the result are logged. */
const LOSERS_SAMPLED = 8
/** How many of those that were passed over are logged for certain; the others are sampled: one merchant's ads could be hundreds. */
const PASSED_OVER_LOGGED = 16
const QUERY_CHARACTERS_LOGGED = 200
/** Half a surrogate pair, which the cut can leave: not every reader of the log takes one. */
const BROKEN_PAIRS = /\p{Cs}/gu

export interface Loss {
  readonly ranked: Ranked<Candidate>
  readonly reason: LossReason | 'page_ended' | 'not_recorded'
  readonly role: LoserRole
}

/** A winner for whose position the page was too short: it won all the same, and the result cannot be understood without it. */
export const pageEnded = (ranked: Loss['ranked']): Loss => ({
  ranked,
  reason: 'page_ended',
  role: 'decisive',
})

export interface AuctionFacts {
  readonly eventId: string
  readonly requestId: string
  readonly request: AdRequest
  readonly rules: RulesInForce
  readonly totalSlots: number
  /** In any order. */
  readonly forSale: readonly number[]
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
 * training sees exactly what serving saw. Whoever had to do with the result is among them, so that it can be decided again from the
 * record alone; other losers are drawn evenly, `random` gives numbers in [0, 1).
 */
export function printAuctionEvent(facts: AuctionFacts, random: () => number): string {
  const { request, slate, slots, predictions } = facts
  const { context } = request
  const candidates: CandidateFields[] = []
  const { losses, sampleFrom, sampleProbability } = lossesToLog(facts.losers, random)
  const features = featureRows(slots.length + losses.length)
  for (const slot of slots) {
    candidates.push(
      slot.winner ? soldSlot(slot.position, slot.winner, slate) : organicSlot(slot, slate, predictions),
    )
    features.keep(predictions.features, slot.row)
  }
  for (let i = 0; i < losses.length; i++) {
    const loss = losses[i]!
    candidates.push(lostCandidate(loss, slate, i < sampleFrom ? 1 : sampleProbability))
    features.keep(predictions.features, loss.ranked.bidder.row)
  }
  const { lists, numbers } = columnsOf(candidates)
  const when = new Date(request.nowMs).toISOString()
  const event: PrintedEvent = newEvent('auction', {
    id: facts.eventId,
    occurredAtMs: Date.parse(when),
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
      terms: termsOf(facts),
      featureSet: FEATURE_SET,
      drops: facts.drops.counts as Record<string, number>,
      candidates: lists,
    },
  })
  // Bytes need no escaping, and looking for what does is most of what printing costs: they are put in behind what ends the text.
  const text = JSON.stringify(event)
  return `${text.slice(0, -ENDS.length)},"numbers":"${numbers}"},"features":"${features.toBase64()}"}}`
}

type Event = z.input<typeof auctionEvent>
/** An event without the bytes, which are put in behind. */
interface PrintedEvent extends Omit<Event, 'data'> {
  readonly data: Omit<Event['data'], 'features' | 'candidates'> & {
    /** Last, so that what ends the text is known. */
    readonly candidates: ReturnType<typeof columnsOf>['lists']
  }
}
const ENDS = '}}}'

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

function organicSlot(slot: ServedSlot, slate: Slate, { pctr, pcvr }: SlatePredictions): OrganicFields {
  const { listing, organicScore, organicRank } = slate.rows[slot.row]!
  return {
    position: slot.position,
    listingId: slot.listingId,
    merchantId: listing?.merchantId ?? '',
    sponsored: false,
    pctr: pctr[slot.row]!,
    pcvr: pcvr[slot.row]!,
    organicScore: organicScore ?? null,
    organicRank,
  }
}

const soldSlot = (
  position: number,
  { ranked, priceMicros }: Winner<Candidate>,
  slate: Slate,
): SponsoredFields => sponsoredCandidate(ranked, slate, position, 'shown', '', priceMicros.toString(), 1)

const lostCandidate = ({ ranked, reason }: Loss, slate: Slate, sampleProbability: number): SponsoredFields =>
  sponsoredCandidate(ranked, slate, 0, DROP_REASONS[reason].outcome, reason, '0', sampleProbability)

function sponsoredCandidate(
  { bidder, score, draw }: Ranked<Candidate>,
  slate: Slate,
  position: number,
  outcome: string,
  reason: string,
  priceMicros: string,
  sampleProbability: number,
): SponsoredFields {
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
    relevance: bidder.relevance,
    sampleProbability,
    keyword: bidder.keyword,
    tieDraw: draw,
  }
}

interface LossesToLog {
  /** Those that had to do with the result, best score first, then the sample. */
  readonly losses: readonly Loss[]
  /** Index of the first one of the sample. */
  readonly sampleFrom: number
  /** With which probability each of the others came into the sample. */
  readonly sampleProbability: number
}

function lossesToLog(all: readonly Loss[], random: () => number): LossesToLog {
  const losses: Loss[] = []
  const others: Loss[] = []
  let passedOver = 0
  for (const loss of all) {
    const isLogged =
      loss.role === 'decisive' || (loss.role === 'passed_over' && ++passedOver <= PASSED_OVER_LOGGED)
    if (isLogged) losses.push(loss)
    else others.push(loss)
  }
  const sampleFrom = losses.length
  losses.push(...sample(others, LOSERS_SAMPLED, random))
  return {
    losses,
    sampleFrom,
    sampleProbability: others.length > LOSERS_SAMPLED ? LOSERS_SAMPLED / others.length : 1,
  }
}

/** What the slots were sold by; a currency only where somebody bid. */
function termsOf({ rules, totalSlots, forSale, slots, losers }: AuctionFacts): Event['data']['terms'] {
  const winner = slots.find((slot) => slot.winner)?.winner
  const bidder = winner?.ranked.bidder ?? losers[0]?.ranked.bidder
  return {
    currency: bidder?.currency ?? '',
    reserveRule: rules.reserveRule,
    reserveMicros: rules.reserveMicros.toString(),
    reserveCpmMicros: rules.reserveCpmMicros.toString(),
    squashing: rules.squashing,
    maxPerMerchant: rules.maxPerMerchant,
    totalSlots,
    forSale: [...forSale].sort((a, b) => a - b),
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
