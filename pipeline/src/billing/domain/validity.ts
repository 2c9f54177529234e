import type { Pricing, Suspicion } from '@endcap/contracts'
import {
  type BillableInteraction,
  type InteractionOrTick,
  isInteraction,
  type Offer,
  type SlotState,
} from './types.js'

/** An impression counts while its token is younger than this. */
export const IMPRESSION_VALID_MS = 2 * 3_600_000
/** A click counts while its token is younger than this. */
export const CLICK_VALID_MS = 24 * 3_600_000
/**
 * How far an event's own clock may run behind the one that issued the token. Beyond it the event is stale: a time made up
 * in the past would be billed to a budget day that nobody watches any more.
 */
export const CLOCK_SKEW_MS = 5 * 60_000
/** Nobody reads a listing and clicks it within this time of seeing it. */
export const CLICK_AT_LEAST_MS = 100
/** How long a click waits for its impression, in the log's own time. */
export const CLICK_WAIT_MS = 15 * 60_000

export type Validity = '' | Suspicion | 'stale' | 'no_impression' | 'repeat' | 'too_fast'

/**
 * Whether an authentic interaction counts, by event time and by what came before it in the log. An impression counts when its
 * token is < 2 h old and it is the slot's first; a click when its token is < 24 h old, the slot's impression was seen and it is
 * the first for that impression, not within 100 ms after it. '' means valid; of several faults the first of this order is named:
 *
 * 1. what made it suspicious where it came in: a bot's impression was seen by nobody, and a bot's click is a bot's click whatever it
 *    was shown;
 * 2. `stale`, by its token alone;
 * 3. `no_impression`: for a click that is still to come, see `decideCharges`;
 * 4. `repeat`;
 * 5. `too_fast`. A click may be dated before its impression: a pixel takes its time to load, and a redirect does not wait for it.
 */
export function judgeValidity(
  interaction: Pick<BillableInteraction, 'type' | 'occurredAtMs' | 'suspicion'>,
  offer: Offer,
  slot: SlotState | undefined,
): Validity {
  const { type, occurredAtMs, suspicion } = interaction
  if (suspicion !== undefined) return suspicion
  const isClick = type === 'click'
  if (isStale(occurredAtMs, offer, isClick ? CLICK_VALID_MS : IMPRESSION_VALID_MS)) return 'stale'
  const seen = slot?.impression
  if (isClick && seen === undefined) return 'no_impression'
  const first = isClick ? slot?.clickId : seen?.id
  const paid = slot?.charged === true && isBillable(type, offer.pricing)
  if (first !== undefined || paid) return 'repeat'
  const sinceSeenMs = isClick ? occurredAtMs - seen!.occurredAtMs : CLICK_AT_LEAST_MS
  return sinceSeenMs >= 0 && sinceSeenMs < CLICK_AT_LEAST_MS ? 'too_fast' : ''
}

/** Whether a valid interaction of this kind costs money under this pricing. */
export const isBillable = (type: BillableInteraction['type'], pricing: Pricing): boolean =>
  type === (pricing === 'cpc' ? 'click' : 'impression')

function isStale(occurredAtMs: number, offer: Offer, validMs: number): boolean {
  const ageMs = occurredAtMs - offer.issuedAtMs
  return ageMs >= validMs || ageMs < -CLOCK_SKEW_MS || occurredAtMs >= offer.expiresAtMs
}

/**
 * When an event arrived, as far as its token allows: nobody takes an event before its token was made or after it expired, so that one
 * server with a broken clock cannot put the log's time years ahead.
 */
const arrivalOf = (receivedAtMs: number, offer: Offer): number =>
  Math.min(Math.max(receivedAtMs, offer.issuedAtMs - CLOCK_SKEW_MS), offer.expiresAtMs)

/** The log's own time once this has come: it moves with the arrivals of interactions whose token opened, and with ticks, and never back. */
export function logTimeAfter(logTimeMs: number, next: InteractionOrTick): number {
  if (!isInteraction(next)) return Math.max(logTimeMs, next.atMs)
  const { offer, receivedAtMs } = next
  return offer ? Math.max(logTimeMs, arrivalOf(receivedAtMs, offer)) : logTimeMs
}
