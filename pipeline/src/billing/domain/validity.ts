import type { Pricing } from '@endcap/contracts'
import type { BillableInteraction, Offer, SlotState } from './types.js'

/** An impression counts while its token is younger than this. */
export const IMPRESSION_VALID_MS = 2 * 3_600_000
/** A click counts while its token is younger than this. */
export const CLICK_VALID_MS = 24 * 3_600_000
/**
 * How far an event's own clock may run behind the one that issued the token. Beyond it the event is stale: a time made up
 * in the past would be billed to a budget day that nobody watches any more.
 */
export const CLOCK_SKEW_MS = 5 * 60_000

export type Validity = '' | 'no_impression' | 'stale' | 'repeat'

/**
 * Whether an authentic interaction counts, by event time and by what came before it in the log: an impression when its
 * token is < 2 h old and it is the slot's first; a click when the slot's impression was seen, its token is < 24 h old and
 * it is the first for that impression. '' means valid; of several faults the first of this order is named.
 */
export function judgeValidity(
  interaction: Pick<BillableInteraction, 'type' | 'occurredAtMs'>,
  offer: Offer,
  slot: SlotState | undefined,
): Validity {
  const isClick = interaction.type === 'click'
  if (isClick && slot?.impressionId === undefined) return 'no_impression'
  if (isStale(interaction.occurredAtMs, offer, isClick ? CLICK_VALID_MS : IMPRESSION_VALID_MS)) return 'stale'
  const first = isClick ? slot?.clickId : slot?.impressionId
  const paid = slot?.charged === true && isBillable(interaction.type, offer.pricing)
  return first !== undefined || paid ? 'repeat' : ''
}

/** Whether a valid interaction of this kind costs money under this pricing. */
export const isBillable = (type: BillableInteraction['type'], pricing: Pricing): boolean =>
  type === (pricing === 'cpc' ? 'click' : 'impression')

function isStale(occurredAtMs: number, offer: Offer, validMs: number): boolean {
  const ageMs = occurredAtMs - offer.issuedAtMs
  return ageMs >= validMs || ageMs < -CLOCK_SKEW_MS || occurredAtMs >= offer.expiresAtMs
}
