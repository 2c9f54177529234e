import {
  PAGE_RANDOM_BYTES,
  type PageFacts,
  printListing,
  type SlotToken,
  type TokenSealer,
} from '@endcap/contracts'
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
  const { request, slate } = context
  const page: PageFacts = {
    auctionId: request.auctionId,
    placement: request.context.placement,
    searchTerm: request.context.searchTerm,
    device: request.context.device,
    modelVersion: context.modelVersion,
    issuedAtMs: request.nowMs,
    expiresAtMs: request.nowMs + TOKEN_LIFETIME_MS,
    customerHash: request.customerHash,
    anonymous: context.anonymous,
  }
  const random = deps.randomBytes(PAGE_RANDOM_BYTES + slots.length * NONCE_BYTES)
  let drawn = PAGE_RANDOM_BYTES
  let organicToken: ReturnType<SealDeps['sealer']['sealPage']> | undefined
  const served: ServedSlot[] = []
  for (const { position, listingId, row, winner } of slots) {
    let token: string
    if (winner) {
      const nonce = random.subarray(drawn, drawn + NONCE_BYTES)
      drawn += NONCE_BYTES
      token = deps.sealer.seal(sponsoredToken(page, position, winner), nonce)
    } else {
      organicToken ??= deps.sealer.sealPage(page, random.subarray(0, PAGE_RANDOM_BYTES))
      const { listing } = slate.rows[row]!
      token = organicToken(
        position,
        listing?.tokenPart ?? printListing({ listingId, merchantId: '', currency: '' }),
      )
    }
    served.push({ position, listingId, row, winner, token })
  }
  return served
}

function sponsoredToken(
  page: PageFacts,
  position: number,
  { ranked: { bidder }, priceMicros }: Winner<Candidate>,
): SlotToken {
  // Spelled out: to spread an object costs more than to encrypt one.
  return {
    auctionId: page.auctionId,
    placement: page.placement,
    searchTerm: page.searchTerm,
    device: page.device,
    modelVersion: page.modelVersion,
    issuedAtMs: page.issuedAtMs,
    expiresAtMs: page.expiresAtMs,
    customerHash: page.customerHash,
    anonymous: page.anonymous,
    position,
    listingId: bidder.listingId,
    merchantId: bidder.merchantId,
    sponsored: true,
    campaignId: bidder.campaign.id,
    adId: bidder.adId,
    pricing: bidder.pricing,
    priceMicros,
    currency: bidder.currency,
  }
}
