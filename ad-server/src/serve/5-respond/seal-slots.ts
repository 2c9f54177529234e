import type { Winner } from '@endcap/auction'
import { PAGE_RANDOM_BYTES, printListing, type SlotPrice, type TokenSealer } from '@endcap/contracts'
import type { Slate } from '../3-predict/slate.js'
import type { AdRequest } from '../ad-request.js'
import type { Candidate } from '../candidate.js'
import type { ServedSlot } from './served-slot.js'

/**
 * How long events of a slot are taken: a day longer than its clicks count, so that those that come late in the day are judged by when they
 * happened, and those that happen too late are recorded as what they are. Billing decides what counts.
 */
const TOKEN_LIFETIME_MS = 48 * 3_600_000

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

/** Seals a token for every slot. */
export function sealSlots(
  slots: readonly UnsealedSlot[],
  { request, slate, modelVersion, anonymous }: TokenContext,
  deps: SealDeps,
): ServedSlot[] {
  const prices: SlotPrice[] = []
  for (const { position, winner } of slots) {
    if (winner) {
      const { pricing } = winner.ranked.bidder
      prices.push({ position, pricing, priceMicros: winner.priceMicros })
    }
  }
  const sealSlot = deps.sealer.sealPage(
    {
      auctionId: request.auctionId,
      placement: request.context.placement,
      searchTerm: request.context.searchTerm,
      device: request.context.device,
      modelVersion,
      issuedAtMs: request.nowMs,
      expiresAtMs: request.nowMs + TOKEN_LIFETIME_MS,
      customerHash: request.customerHash,
      anonymous,
      consented: request.consented,
    },
    prices,
    deps.randomBytes(PAGE_RANDOM_BYTES),
  )
  return slots.map(({ position, listingId, row, winner }) => {
    const listing =
      slate.rows[row]!.listing?.printed ?? printListing({ listingId, merchantId: '', currency: '' })
    const token = sealSlot(position, listing, winner?.ranked.bidder.ad.printed)
    return { position, listingId, row, winner, token }
  })
}
