import { budgetDay, type ChargeReason, type Micros } from '@endcap/contracts'
import {
  type BillableInteraction,
  type BillingState,
  type CampaignLimits,
  counterKey,
  type Decision,
  type Offer,
  type SlotState,
  type SpendCounter,
  slotKey,
  TOTAL_PERIOD,
  type Unplaced,
  type UnplacedReason,
  type Verdict,
} from './types.js'
import { isBillable, judgeValidity } from './validity.js'

const IMPRESSIONS_PER_CPM_PRICE = 1000n

/**
 * Decides what each interaction costs, one after another in the order given (the order of the log), each seeing what the
 * ones before it did. Every interaction gets at most one verdict ever: one that is known already, by its event id, changes nothing.
 *
 * Valid ones are charged whole or not at all: what would exceed the total budget, the budget of the merchant's day on which
 * it happened, or the wallet is `not_charged` with its price kept. Invalid ones are `not_charged` with the reason. Valid ones
 * that are free under their pricing (a cpc impression, a cpm click) are remembered but need no verdict.
 *
 * Cutting the same interactions into other batches decides the same.
 */
export function decideCharges(state: BillingState, interactions: readonly BillableInteraction[]): Decision {
  const judged = new Set<string>()
  const slots = new Map<string, SlotState>()
  const wallets = new Map<string, Micros>()
  const counters = new Map<string, SpendCounter>()
  const verdicts: Verdict[] = []
  const unplaced: Unplaced[] = []
  const impressions: BillableInteraction[] = []
  const clicks: BillableInteraction[] = []
  const dayOf = createDayLookup()

  const counterOf = (campaignId: string, merchantId: string, period: string): SpendCounter => {
    const key = counterKey(campaignId, period)
    return (
      counters.get(key) ??
      state.counters.get(key) ?? { campaignId, merchantId, period, spentMicros: 0n, carry: 0n }
    )
  }

  for (const interaction of interactions) {
    const { slot, offer, interactionId } = interaction
    if (judged.has(interactionId) || state.judged.has(interactionId)) continue
    const key = slotKey(slot)
    const known = slots.get(key) ?? state.slots.get(key)
    if (offer && isSameEvent(interaction, known)) continue

    const campaign = state.campaigns.get(slot.campaignId)
    const problem = placementProblem(interaction, campaign)
    if (!campaign || problem) {
      unplaced.push({ interaction, reason: problem ?? 'campaign_unknown' })
      continue
    }
    const day = dayOf(interaction.occurredAtMs, campaign.timeZone)
    const common = { interaction, currency: campaign.currency, budgetDay: day }
    if (!offer) {
      judged.add(interactionId)
      verdicts.push({
        ...common,
        pricing: campaign.pricing,
        outcome: 'not_charged',
        reason: 'token_invalid',
        amountMicros: 0n,
        priceMicros: 0n,
      })
      continue
    }

    const billable = isBillable(interaction.type, offer.pricing)
    const total = counterOf(slot.campaignId, slot.merchantId, TOTAL_PERIOD)
    const cost = billable ? costOf(offer, total.carry) : FREE
    const invalid = judgeValidity(interaction, offer, known)
    if (invalid === '') {
      const isClick = interaction.type === 'click'
      ;(isClick ? clicks : impressions).push(interaction)
      slots.set(key, {
        impressionId: isClick ? known?.impressionId : interactionId,
        clickId: isClick ? interactionId : known?.clickId,
        charged: known?.charged ?? false,
      })
      if (!billable) continue
    }

    const today = counterOf(slot.campaignId, slot.merchantId, day)
    const balance = wallets.get(slot.merchantId) ?? state.wallets.get(slot.merchantId) ?? 0n
    const reason: ChargeReason =
      invalid === '' ? limitExceeded(campaign, cost.amountMicros, total, today, balance) : invalid
    judged.add(interactionId)
    verdicts.push({
      ...common,
      pricing: offer.pricing,
      outcome: reason === '' ? 'charged' : 'not_charged',
      reason,
      amountMicros: reason === '' ? cost.amountMicros : 0n,
      priceMicros: cost.amountMicros,
    })
    if (reason !== '') continue

    slots.set(key, { ...slots.get(key)!, charged: true })
    wallets.set(slot.merchantId, balance - cost.amountMicros)
    counters.set(counterKey(slot.campaignId, TOTAL_PERIOD), {
      ...total,
      spentMicros: total.spentMicros + cost.amountMicros,
      carry: cost.carry,
    })
    counters.set(counterKey(slot.campaignId, day), {
      ...today,
      spentMicros: today.spentMicros + cost.amountMicros,
    })
  }
  return { verdicts, unplaced, impressions, clicks, slots, wallets, counters }
}

/** The state after a decision, for whoever decides the next batch without reading it back from a store. */
export function applyDecision(state: BillingState, decision: Decision): BillingState {
  return {
    judged: new Set([
      ...state.judged,
      ...decision.verdicts.map((verdict) => verdict.interaction.interactionId),
    ]),
    slots: new Map([...state.slots, ...decision.slots]),
    campaigns: state.campaigns,
    wallets: new Map([...state.wallets, ...decision.wallets]),
    counters: new Map([...state.counters, ...decision.counters]),
  }
}

interface Cost {
  readonly amountMicros: Micros
  readonly carry: bigint
}

const FREE: Cost = { amountMicros: 0n, carry: 0n }

/**
 * A click costs its price. An impression costs a thousandth of its cpm price; what is below a whole micro is carried to the
 * campaign's next impression, so that a thousand impressions cost exactly one price.
 */
function costOf(offer: Offer, carry: bigint): Cost {
  if (offer.pricing === 'cpc') return { amountMicros: offer.priceMicros, carry }
  const thousandths = offer.priceMicros + carry
  return {
    amountMicros: thousandths / IMPRESSIONS_PER_CPM_PRICE,
    carry: thousandths % IMPRESSIONS_PER_CPM_PRICE,
  }
}

function limitExceeded(
  campaign: CampaignLimits,
  amountMicros: Micros,
  total: SpendCounter,
  today: SpendCounter,
  balanceMicros: Micros,
): ChargeReason {
  const { budgetTotalMicros, budgetDailyMicros } = campaign
  if (budgetTotalMicros !== undefined && total.spentMicros + amountMicros > budgetTotalMicros)
    return 'over_budget_total'
  if (budgetDailyMicros !== undefined && today.spentMicros + amountMicros > budgetDailyMicros)
    return 'over_budget_day'
  return amountMicros > balanceMicros ? 'over_wallet' : ''
}

/** The first valid impression or click of a slot, delivered again. It may have left no verdict, being free. */
const isSameEvent = (interaction: BillableInteraction, slot: SlotState | undefined): boolean =>
  interaction.interactionId === (interaction.type === 'click' ? slot?.clickId : slot?.impressionId)

function placementProblem(
  interaction: BillableInteraction,
  campaign: CampaignLimits | undefined,
): UnplacedReason | undefined {
  const { slot, offer } = interaction
  if (!offer) return campaign?.merchantId === slot.merchantId ? undefined : 'token_invalid'
  if (!campaign) return 'campaign_unknown'
  if (campaign.merchantId !== slot.merchantId) return 'merchant_mismatch'
  return campaign.currency === offer.currency ? undefined : 'currency_mismatch'
}

/** Budget days by minute and zone: days begin on whole minutes in every zone, and formatting a date is slow. */
function createDayLookup(): (instantMs: number, timeZone: string) => string {
  const days = new Map<string, string>()
  return (instantMs, timeZone) => {
    const minute = Math.floor(instantMs / 60_000)
    const key = `${minute} ${timeZone}`
    let day = days.get(key)
    if (day === undefined) {
      day = budgetDay(minute * 60_000, timeZone)
      days.set(key, day)
    }
    return day
  }
}
