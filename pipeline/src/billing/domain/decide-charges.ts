import { budgetDay, type ChargeReason, type Micros } from '@endcap/contracts'
import { type Cost, costOf, limitExceeded, periodsOf } from './spend.js'
import { createSpendAccounts } from './spend-accounts.js'
import {
  type BillableInteraction,
  type BillingState,
  type CampaignLimits,
  type Decision,
  type InteractionOrTick,
  isInteraction,
  type SlotState,
  slotKey,
  type Unplaced,
  type UnplacedReason,
  type Verdict,
  type WaitingClick,
} from './types.js'
import { CLICK_WAIT_MS, isBillable, judgeValidity, logTimeAfter } from './validity.js'

/**
 * Decides what each interaction costs, one after another in the order given (the order of the log), each seeing what the
 * ones before it did. Every interaction gets at most one verdict ever: one whose event id is known already, of whatever kind and slot
 * it was, changes nothing.
 *
 * Valid ones are charged whole or not at all: what would exceed a budget (total, or the month, week or day of the merchant's in which
 * it happened) or the wallet is `not_charged` with its price kept. Invalid ones are `not_charged` with the reason. Valid ones
 * that are free under their pricing (a cpc impression, a cpm click) are remembered and listed, without money.
 *
 * A click without an impression waits until the impression comes, and is judged right after it, in the order in which the clicks came.
 * Time for it is the log's own (`logTimeAfter`). Once that has come CLICK_WAIT_MS further than when the click came, there was
 * `no_impression`. A tick does nothing but move it.
 *
 * Cutting the same interactions into other batches decides the same.
 */
export function decideCharges(state: BillingState, inOrder: readonly InteractionOrTick[]): Decision {
  const judged = new Set<string>()
  const slots = new Map<string, SlotState>()
  const wallets = new Map<string, Micros>()
  const accounts = createSpendAccounts(state.counters)
  const verdicts: Verdict[] = []
  const unplaced: Unplaced[] = []
  const impressions: BillableInteraction[] = []
  const clicks: BillableInteraction[] = []
  const free: BillableInteraction[] = []
  const waits = new Set<WaitingClick>()
  const waited: WaitingClick[] = []
  // In the order of the log, which is that of their deadlines too.
  const waiting = new Set<WaitingClick>()
  const waitingAt = new Map<string, WaitingClick[]>()
  const waitingIds = new Set(state.waitingElsewhere)
  const periodsAt = createPeriodLookup()
  let { watermarkMs } = state

  const slotAt = (key: string) => slots.get(key) ?? state.slots.get(key)

  const isJudged = ({ interactionId }: BillableInteraction): boolean =>
    judged.has(interactionId) || state.judged.has(interactionId)

  function judge(interaction: BillableInteraction, key: string, canWait: boolean): void {
    const { slot, offer } = interaction
    const campaign = state.campaigns.get(slot.campaignId)
    const problem = placementProblem(interaction, campaign)
    if (!campaign || problem) {
      unplaced.push({ interaction, reason: problem ?? 'campaign_unknown' })
      return
    }
    if (!offer) {
      pronounce(interaction, campaign, 'token_invalid', FREE)
      return
    }
    const known = slotAt(key)
    const invalid = judgeValidity(interaction, offer, known)
    if (invalid === 'no_impression' && canWait) {
      const click = { interaction, deadlineMs: watermarkMs + CLICK_WAIT_MS }
      waits.add(click)
      putOff(click, key)
      return
    }
    const billable = isBillable(interaction.type, offer.pricing)
    const cost = billable ? costOf(offer, accounts.carryOf(slot.campaignId)) : FREE
    if (invalid !== '') {
      pronounce(interaction, campaign, invalid, cost)
      return
    }
    remember(interaction, key, known)
    if (billable) charge(interaction, key, campaign, cost)
    else {
      judged.add(interaction.interactionId)
      free.push(interaction)
    }
    if (interaction.type === 'impression') wake(key)
  }

  function pronounce(
    interaction: BillableInteraction,
    campaign: CampaignLimits,
    reason: ChargeReason,
    { amountMicros }: Cost,
  ): void {
    judged.add(interaction.interactionId)
    verdicts.push({
      interaction,
      pricing: interaction.offer?.pricing ?? campaign.pricing,
      currency: campaign.currency,
      budgetDay: periodsAt(interaction.occurredAtMs, campaign.timeZone).at(-1)!,
      outcome: reason === '' ? 'charged' : 'not_charged',
      reason,
      amountMicros: reason === '' ? amountMicros : 0n,
      priceMicros: amountMicros,
    })
  }

  function remember(interaction: BillableInteraction, key: string, known: SlotState | undefined): void {
    const { type, interactionId, occurredAtMs } = interaction
    const isClick = type === 'click'
    ;(isClick ? clicks : impressions).push(interaction)
    slots.set(key, {
      impression: isClick ? known?.impression : { id: interactionId, occurredAtMs },
      clickId: isClick ? interactionId : known?.clickId,
      charged: known?.charged ?? false,
    })
  }

  function charge(interaction: BillableInteraction, key: string, campaign: CampaignLimits, cost: Cost): void {
    const { merchantId, campaignId } = interaction.slot
    const periods = periodsAt(interaction.occurredAtMs, campaign.timeZone)
    const account = accounts.of(campaignId, merchantId, periods)
    const balance = wallets.get(merchantId) ?? state.wallets.get(merchantId) ?? 0n
    const reason = limitExceeded(campaign, cost.amountMicros, account, balance)
    pronounce(interaction, campaign, reason, cost)
    if (reason !== '') return

    slots.set(key, { ...slots.get(key)!, charged: true })
    wallets.set(merchantId, balance - cost.amountMicros)
    accounts.add(account, cost)
  }

  function putOff(click: WaitingClick, key: string): void {
    waiting.add(click)
    waitingIds.add(click.interaction.interactionId)
    const others = waitingAt.get(key)
    if (others) others.push(click)
    else waitingAt.set(key, [click])
  }

  /** Its wait is over. Another event of its id may have been judged meanwhile, where another partition's log came first. */
  function takeUp(click: WaitingClick, key: string): void {
    const { interaction } = click
    waiting.delete(click)
    waitingIds.delete(interaction.interactionId)
    if (!waits.delete(click)) waited.push(click)
    if (!isJudged(interaction)) judge(interaction, key, false)
  }

  /** The slot's impression came: those that waited for it are judged now. */
  function wake(key: string): void {
    for (const click of waitingAt.get(key) ?? []) if (waiting.has(click)) takeUp(click, key)
  }

  function endWaits(): void {
    for (const click of waiting) {
      if (click.deadlineMs > watermarkMs) break
      takeUp(click, slotKey(click.interaction.slot))
    }
  }

  for (const click of state.waiting) putOff(click, slotKey(click.interaction.slot))
  for (const next of inOrder) {
    watermarkMs = logTimeAfter(watermarkMs, next)
    endWaits()
    if (!isInteraction(next)) continue
    const isKnown = isJudged(next) || waitingIds.has(next.interactionId)
    if (!isKnown) judge(next, slotKey(next.slot), true)
  }
  return {
    verdicts,
    unplaced,
    impressions,
    clicks,
    slots,
    wallets,
    counters: accounts.changed(),
    free,
    watermarkMs,
    waits: [...waits],
    waited,
  }
}

/** The state after a decision, for whoever decides the next batch without reading it back from a store. */
export function applyDecision(state: BillingState, decision: Decision): BillingState {
  const waited = new Set(decision.waited)
  return {
    judged: new Set([
      ...state.judged,
      ...decision.verdicts.map((verdict) => verdict.interaction.interactionId),
      ...decision.free.map((interaction) => interaction.interactionId),
    ]),
    slots: new Map([...state.slots, ...decision.slots]),
    campaigns: state.campaigns,
    wallets: new Map([...state.wallets, ...decision.wallets]),
    counters: new Map([...state.counters, ...decision.counters]),
    watermarkMs: decision.watermarkMs,
    waiting: [...state.waiting.filter((click) => !waited.has(click)), ...decision.waits],
    waitingElsewhere: state.waitingElsewhere,
  }
}

const FREE: Cost = { amountMicros: 0n, carry: 0n }

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

/** Periods by minute and zone: days begin on whole minutes in every zone, and formatting a date is slow. One object a day. */
function createPeriodLookup(): (instantMs: number, timeZone: string) => readonly string[] {
  const zones = new Map<string, Map<number, readonly string[]>>()
  const days = new Map<string, readonly string[]>()
  return (instantMs, timeZone) => {
    const minute = Math.floor(instantMs / 60_000)
    let minutes = zones.get(timeZone)
    if (!minutes) {
      minutes = new Map()
      zones.set(timeZone, minutes)
    }
    let periods = minutes.get(minute)
    if (!periods) {
      const day = budgetDay(minute * 60_000, timeZone)
      periods = days.get(day) ?? periodsOf(day)
      days.set(day, periods)
      minutes.set(minute, periods)
    }
    return periods
  }
}
