import type { Explanation } from '@endcap/contracts'
import type { ServedSlot } from './served-slot.js'

/** The public answer of a rank request; the shape is `rankAnswer` of the contracts. */
export interface RankResult {
  readonly requestId: string
  readonly auctionId: string
  readonly modelVersion: string
  readonly slots: readonly ServedSlot[]
  readonly degraded: readonly string[]
  readonly explain: Explanation | undefined
}

/**
 * Prints the answer by hand: it is most of what a rank request sends, and its shape never changes. Names only what the public may
 * see, so a price cannot slip in with a new field. `post-rank.test.ts` holds it against the schema.
 */
export function serialiseRank(result: RankResult, publicUrl: string): string {
  let text = `{"requestId":${JSON.stringify(result.requestId)},"auctionId":${JSON.stringify(result.auctionId)},"modelVersion":${JSON.stringify(result.modelVersion)},"slots":[`
  for (let i = 0; i < result.slots.length; i++) {
    const slot = result.slots[i]!
    if (i > 0) text += ','
    text += `{"position":${slot.position},"listingId":${JSON.stringify(slot.listingId)},"sponsored":`
    if (slot.winner) {
      const { campaign, adId } = slot.winner.ranked.bidder
      text += `true,"campaignId":${JSON.stringify(campaign.id)},"adId":${JSON.stringify(adId)},"token":"${slot.token}","clickUrl":"${publicUrl}/t/c/${slot.token}","impressionUrl":"${publicUrl}/t/i/${slot.token}"}`
    } else text += `false,"token":"${slot.token}"}`
  }
  text += `],"degraded":${JSON.stringify(result.degraded)}`
  if (result.explain) text += `,"explain":${JSON.stringify(result.explain)}`
  return `${text}}`
}
