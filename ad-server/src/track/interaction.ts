import {
  hashIdentity,
  type InteractionEvent,
  type InteractionType,
  newEvent,
  type SlotToken,
} from '@endcap/contracts'
import type { NewRecord } from '@endcap/platform/event-log'
import { networkOf } from '@endcap/platform/http'
import { withTrace } from '@endcap/platform/tracing'
import type { Sender } from './suspect.js'

export interface Observed {
  readonly id: string
  readonly type: InteractionType
  readonly occurredAtMs: number
  readonly receivedAtMs: number
  /** As it came: billing opens it again. */
  readonly sealed: string
  readonly token: SlotToken
  readonly channel: 'browser' | 'api'
  readonly customer?: { readonly id?: string | undefined; readonly consent?: boolean | undefined } | undefined
  readonly address?: string | undefined
  readonly userAgent?: string | undefined
  /** The browser fetched ahead of any wish of its user. */
  readonly prefetch?: boolean
}

const USER_AGENT_CHARACTERS = 512
const BROKEN_PAIRS = /\p{Cs}/gu

/** An interaction as it came in: its event, and who sent it. */
export interface Arrival {
  readonly event: InteractionEvent
  readonly sender: Sender
}

/**
 * The event of one interaction, not yet looked at for what makes it suspicious. People are remembered by keyed hashes only: the customer that the interaction or else the token
 * names, and the address (of IPv6 its /64 network). Nothing of either is kept for someone who refused (`consent: false`, at the time of the request or now).
 */
export function arrivalOf(observed: Observed, identityKey: Buffer): Arrival {
  const { token, customer } = observed
  const refused = token.anonymous === true || customer?.consent === false
  const customerHash =
    customer?.id === undefined
      ? (token.customerHash ?? '')
      : hashIdentity(identityKey, 'customer', customer.id)
  const addressHash = observed.address
    ? hashIdentity(identityKey, 'address', networkOf(observed.address))
    : ''
  // Consent that came with the token is for whom the token was made.
  const consented =
    customer?.consent === true || (token.consented === true && customerHash === (token.customerHash ?? ''))
  const event: InteractionEvent = newEvent(observed.type, {
    id: observed.id,
    occurredAtMs: observed.occurredAtMs,
    receivedAtMs: observed.receivedAtMs,
    source: 'ad-server',
    key: keyOf(token),
    data: {
      token: observed.sealed,
      auctionId: token.auctionId,
      position: token.position,
      listingId: token.listingId,
      merchantId: token.merchantId,
      campaignId: token.campaignId,
      adId: token.adId,
      sponsored: token.sponsored,
      placement: token.placement,
      searchTerm: token.searchTerm,
      device: token.device,
      modelVersion: token.modelVersion,
      customerHash: refused ? '' : customerHash,
      ...(consented && !refused ? { consented } : {}),
      channel: observed.channel,
      client: {
        addressHash: refused ? '' : addressHash,
        userAgent: (observed.userAgent ?? '').slice(0, USER_AGENT_CHARACTERS).replace(BROKEN_PAIRS, ''),
        ...(observed.prefetch ? { prefetch: true } : {}),
      },
      suspicions: [],
    },
  })
  return {
    event,
    sender: {
      userAgent: observed.userAgent ?? '',
      address: observed.address ?? '',
      addressHash,
      prefetch: observed.prefetch ?? false,
    },
  }
}

/** All interactions of a merchant go to one partition, so that one writer bills a wallet. */
const keyOf = (token: SlotToken): string => token.merchantId || token.listingId

export const recordOf = (event: InteractionEvent): NewRecord =>
  withTrace({ key: event.key, value: JSON.stringify(event) })
