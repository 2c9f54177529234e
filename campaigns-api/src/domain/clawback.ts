import {
  budgetMonthOf,
  budgetWeekOf,
  type Clawback,
  type ClawbackEvent,
  type ClawbackReason,
  formatMoney,
  type InteractionType,
  type Micros,
  newEvent,
  type Pricing,
  sumMicros,
} from '@endcap/contracts'

/** A charge that was made, as far as giving it back needs it. */
export interface MadeCharge {
  readonly id: string
  readonly interactionId: string
  readonly interactionType: InteractionType
  readonly auctionId: string
  readonly position: number
  readonly merchantId: string
  readonly campaignId: string
  readonly adId: string
  readonly listingId: string
  readonly pricing: Pricing
  readonly amountMicros: Micros
  readonly currency: string
  readonly budgetDay: string
  readonly occurredAt: Date
  /** It was given back before. */
  readonly clawedBack: boolean
}

/** What is taken out of a campaign's spend of one period. */
export interface SpendReduction {
  readonly campaignId: string
  readonly period: string
  readonly micros: Micros
}

/** The id of the ledger transaction and of the event by which a charge is given back: one of each, for ever. */
export const clawbackKeyOf = (chargeId: string): string => `claw:${chargeId}`

/**
 * What giving charges back takes out of the spend counters: each charge out of the total and out of the day, week and month that it
 * counted against, so that what is still running may spend it again.
 */
export function spendReductions(charges: readonly MadeCharge[]): readonly SpendReduction[] {
  const reductions = new Map<string, SpendReduction>()
  for (const { campaignId, budgetDay, amountMicros } of charges) {
    if (amountMicros === 0n) continue
    for (const period of ['total', budgetDay, budgetWeekOf(budgetDay), budgetMonthOf(budgetDay)]) {
      const key = `${period}/${campaignId}`
      const micros = (reductions.get(key)?.micros ?? 0n) + amountMicros
      reductions.set(key, { campaignId, period, micros })
    }
  }
  return [...reductions.values()]
}

/** Charges by campaign, as the API sums them up. */
export function clawedBackByCampaign(charges: readonly MadeCharge[]): Clawback['campaigns'] {
  const byCampaign = new Map<string, MadeCharge[]>()
  for (const charge of charges) {
    byCampaign.set(charge.campaignId, [...(byCampaign.get(charge.campaignId) ?? []), charge])
  }
  return [...byCampaign]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([campaignId, of]) => ({
      merchantId: of[0]!.merchantId,
      campaignId,
      currency: of[0]!.currency,
      charges: of.length,
      amount: formatMoney(sumMicros(of.map(({ amountMicros }) => amountMicros))),
    }))
}

/** Where a charge was shown, which the ledger's database does not keep. */
export interface ChargeSlot {
  readonly placement: string
  readonly searchTerm: string
  readonly device: string
  readonly modelVersion: string
}

/** The event that makes reports restate the day of the charge. */
export function clawbackEventOf(
  charge: MadeCharge,
  slot: ChargeSlot,
  clawback: { readonly id: string; readonly reason: ClawbackReason; readonly createdAt: Date },
): ClawbackEvent {
  const { id, amountMicros, occurredAt, budgetDay: _day, clawedBack: _before, ...facts } = charge
  return newEvent('clawback', {
    id: clawbackKeyOf(id),
    occurredAtMs: occurredAt.getTime(),
    receivedAtMs: clawback.createdAt.getTime(),
    source: 'campaigns-api',
    key: charge.merchantId,
    data: {
      ...facts,
      placement: slot.placement,
      searchTerm: slot.searchTerm,
      device: slot.device,
      modelVersion: slot.modelVersion,
      chargeId: id,
      clawbackId: clawback.id,
      amountMicros: amountMicros.toString(),
      reason: clawback.reason,
    },
  })
}
