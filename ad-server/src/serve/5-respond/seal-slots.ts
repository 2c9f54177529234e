import type { SlotToken, TokenSealer } from '@endcap/contracts'
import type { Winner } from '../../domain/auction.js'
import type { Slate } from '../3-predict/slate.js'
import type { AdRequest } from '../ad-request.js'
import type { Candidate } from '../candidate.js'
import type { ServedSlot } from './served-slot.js'

/** How long clicks of a slot are taken; billing judges impressions more strictly by itself. */
export const TOKEN_LIFETIME_MS = 24 * 3_600_000
const NONCE_BYTES = 12

export interface SealDeps {
  readonly sealer: TokenSealer
  readonly randomBytes: (bytes: number) => Buffer
}

export interface UnsealedSlot {
  readonly position: number
  readonly listingId: string
  readonly row: number
  readonly winner: Winner<Candidate> | undefined
}

/** What the page's tokens say in common. */
export interface TokenContext {
  readonly request: AdRequest
  readonly slate: Slate
  readonly modelVersion: string
  readonly anonymous: boolean
}

/** Seals a token for every slot; random bytes for all of them are drawn at once. */
export function sealSlots(
  slots: readonly UnsealedSlot[],
  context: TokenContext,
  deps: SealDeps,
): ServedSlot[] {
  const nonces = deps.randomBytes(slots.length * NONCE_BYTES)
  return slots.map((slot, i) => ({
    position: slot.position,
    listingId: slot.listingId,
    row: slot.row,
    winner: slot.winner,
    token: deps.sealer.seal(tokenOf(slot, context), nonces.subarray(i * NONCE_BYTES, (i + 1) * NONCE_BYTES)),
  }))
}

function tokenOf(slot: UnsealedSlot, { request, slate, modelVersion, anonymous }: TokenContext): SlotToken {
  const { winner } = slot
  const { listing } = slate.rows[slot.row]!
  return {
    auctionId: request.auctionId,
    position: slot.position,
    placement: request.context.placement,
    searchTerm: request.context.searchTerm,
    device: request.context.device,
    modelVersion,
    listingId: slot.listingId,
    merchantId: listing?.merchantId ?? '',
    sponsored: winner !== undefined,
    campaignId: winner?.ranked.bidder.campaign.id ?? '',
    adId: winner?.ranked.bidder.adId ?? '',
    pricing: winner?.ranked.bidder.pricing ?? '',
    priceMicros: winner?.priceMicros ?? 0n,
    currency: winner?.ranked.bidder.currency ?? listing?.currency ?? '',
    issuedAtMs: request.nowMs,
    expiresAtMs: request.nowMs + TOKEN_LIFETIME_MS,
    customerHash: request.customerHash,
    anonymous,
  }
}
