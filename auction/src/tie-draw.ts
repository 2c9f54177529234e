/**
 * A number in [0, 2^32) drawn for one bidder of one auction: the same auction and bidder always draw the same number,
 * whatever order the bidders came in. Equal scores are decided by the lower draw. FNV-1a with a final avalanche
 * (Murmur3's), so that ids which differ in one character still draw independently.
 */
export function tieDraw(auctionId: string, bidderId: string): number {
  let hash = 0x811c9dc5
  hash = absorb(hash, auctionId)
  hash = Math.imul(hash ^ 0x0a, 0x01000193)
  hash = absorb(hash, bidderId)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function absorb(start: number, text: string): number {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
