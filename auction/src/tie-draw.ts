import { fnv1a, mixBits } from '@endcap/contracts'

/**
 * A number in [0, 2^32) drawn for one bidder of one auction: the same auction and bidder always draw the same number,
 * whatever order the bidders came in. Equal scores are decided by the lower draw. The bits are mixed, so that ids which
 * differ in one character still draw independently.
 */
export const tieDraw = (auctionId: string, bidderId: string): number =>
  mixBits(fnv1a(bidderId, fnv1a('\n', fnv1a(auctionId)))) >>> 0
