import { createIdSource, type InteractionEvent } from '@endcap/contracts'
import { interactionOf, slotToken } from '@endcap/pipeline/testing'
import type { NewRecord } from '@endcap/platform/event-log'

const ids = createIdSource()
const CLICK_DELAY_MS = 1_000

/** Slot number `index` of many merchants (`mer_0`…), seen, and clicked a second later. */
export function seenAndClicked(
  index: number,
  merchants: number,
  atMs: number,
): [InteractionEvent, InteractionEvent] {
  const merchant = index % merchants
  const token = slotToken({
    auctionId: ids('auction'),
    issuedAtMs: atMs,
    merchantId: `mer_${merchant}`,
    campaignId: `cmp_${merchant}`,
    adId: `ad_${merchant}`,
    listingId: `L${index % (merchants * 10)}`,
    priceMicros: 100_000n,
  })
  const impression = interactionOf(ids('interaction'), 'impression', atMs, token)
  const click = interactionOf(ids('interaction'), 'click', atMs + CLICK_DELAY_MS, token)
  // One slot has one token: pixel and link of a page carry the same.
  return [impression, { ...click, data: { ...click.data, token: impression.data.token } }]
}

export const recordOf = (event: InteractionEvent): NewRecord => ({
  key: event.key,
  value: JSON.stringify(event),
})
