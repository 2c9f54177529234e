import {
  type InteractionEvent,
  type InteractionTopicEvent,
  interactionTopicEvent,
  type SlotToken,
  type TokenSealer,
} from '@endcap/contracts'
import type { LogRecord } from '@endcap/platform/event-log'
import type { BillableInteraction, SlotFacts, Tick } from './domain/types.js'

/** What a record of the interactions topic is to billing. */
export type ReadInteraction =
  | {
      readonly kind: 'billable'
      readonly interaction: BillableInteraction
      /** The key that its token names and nobody configured. */
      readonly unknownKeyId?: string
    }
  | { readonly kind: 'tick'; readonly tick: Tick }
  /** Nothing to decide: an organic slot, or a kind of interaction that is never paid for. */
  | { readonly kind: 'free' }
  /** Not an event that billing can read. Ingest keeps such records as dead letters. */
  | { readonly kind: 'malformed' }

/** Instants that every store can hold; far outside of them an event's clock is broken. */
const EARLIEST_MS = Date.UTC(2000, 0, 1)
const LATEST_MS = Date.UTC(2200, 0, 1)
/** Control characters and halves of surrogate pairs don't survive a database, so they cannot be part of an identity. */
const UNSTORABLE = /[\p{Cc}\p{Cs}]/u
const MAX_POSITION = 65_535

/** Reads a record and opens its token: from there on the token alone says what was sold, to whom and at which price. */
export function readInteraction(record: Pick<LogRecord, 'value'>, tokens: TokenSealer): ReadInteraction {
  const event = parseEvent(record.value)
  if (!event) return { kind: 'malformed' }
  if (event.type === 'tick')
    return { kind: 'tick', tick: { type: 'tick', atMs: Date.parse(event.occurredAt) } }
  const { type, data } = event
  if (type !== 'impression' && type !== 'click') return { kind: 'free' }
  const receivedAtMs = Date.parse(event.receivedAt)
  const common = {
    interactionId: event.id,
    type,
    occurredAtMs: Date.parse(event.occurredAt),
    receivedAtMs,
    suspicion: data.suspicions[0],
  }

  const opened = tokens.open(data.token)
  if (!opened.ok) {
    if (!data.sponsored) return { kind: 'free' }
    if (!isStorable(data)) return { kind: 'malformed' }
    return {
      kind: 'billable',
      interaction: { ...common, slot: slotFacts(data), offer: undefined },
      ...(opened.reason === 'unknown_key' && { unknownKeyId: opened.keyId }),
    }
  }
  const { token } = opened
  if (!token.sponsored || token.pricing === '') return { kind: 'free' }
  const { pricing, priceMicros, currency, issuedAtMs, expiresAtMs } = token
  return {
    kind: 'billable',
    interaction: {
      ...common,
      slot: slotFacts(token),
      offer: { pricing, priceMicros, currency, issuedAtMs, expiresAtMs },
    },
  }
}

export const isTick = (record: Pick<LogRecord, 'value'>): boolean => parseEvent(record.value)?.type === 'tick'

function parseEvent(value: string | null): InteractionTopicEvent | undefined {
  if (value === null) return undefined
  let json: unknown
  try {
    json = JSON.parse(value)
  } catch {
    return undefined
  }
  const { success, data: event } = interactionTopicEvent.safeParse(json)
  if (!success || UNSTORABLE.test(event.id)) return undefined
  return isInstant(event.occurredAt) && isInstant(event.receivedAt) ? event : undefined
}

function isInstant(text: string): boolean {
  const instantMs = Date.parse(text)
  return instantMs >= EARLIEST_MS && instantMs < LATEST_MS
}

/** What an unopened token's event claims was written by nobody we know: it must at least fit the columns. */
const isStorable = ({
  auctionId,
  merchantId,
  campaignId,
  adId,
  listingId,
  position,
}: InteractionEvent['data']): boolean =>
  position <= MAX_POSITION &&
  [auctionId, merchantId, campaignId, adId, listingId].every((id) => !UNSTORABLE.test(id))

const slotFacts = (from: InteractionEvent['data'] | SlotToken): SlotFacts => ({
  auctionId: from.auctionId,
  position: from.position,
  placement: from.placement,
  searchTerm: from.searchTerm,
  device: from.device,
  modelVersion: from.modelVersion,
  listingId: from.listingId,
  merchantId: from.merchantId,
  campaignId: from.campaignId,
  adId: from.adId,
})
