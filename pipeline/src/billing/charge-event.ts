import { type ChargeEvent, newEvent } from '@endcap/contracts'
import type { ChargeRow } from './store/billing-store.js'

/** The event that tells ClickHouse of a verdict. Its id is the charge's; it happened when the interaction did. */
export function chargeEventOf({ chargeId, verdict }: ChargeRow, now: Date): ChargeEvent {
  const { interaction } = verdict
  const { slot } = interaction
  return newEvent('charge', {
    id: chargeId,
    occurredAtMs: interaction.occurredAtMs,
    receivedAtMs: now.getTime(),
    source: 'billing',
    key: slot.merchantId,
    data: {
      chargeId,
      interactionId: interaction.interactionId,
      interactionType: interaction.type,
      auctionId: slot.auctionId,
      position: slot.position,
      merchantId: slot.merchantId,
      campaignId: slot.campaignId,
      adId: slot.adId,
      listingId: slot.listingId,
      placement: slot.placement,
      searchTerm: slot.searchTerm,
      device: slot.device,
      modelVersion: slot.modelVersion,
      pricing: verdict.pricing,
      amountMicros: verdict.amountMicros.toString(),
      priceMicros: verdict.priceMicros.toString(),
      currency: verdict.currency,
      outcome: verdict.outcome,
      reason: verdict.reason,
    },
  })
}
