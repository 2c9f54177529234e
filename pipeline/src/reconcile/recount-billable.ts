import { createTokenSealer, TOPICS, type TokenKey } from '@endcap/contracts'
import type { EventLog } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { decideCharges } from '../billing/domain/decide-charges.js'
import {
  type BillableInteraction,
  type BillingState,
  type CampaignLimits,
  type InteractionOrTick,
  isInteraction,
  type SlotState,
  type SpendCounter,
  type WaitingClick,
} from '../billing/domain/types.js'
import { readInteraction } from '../billing/read-interaction.js'
import { campaignLimits } from '../billing/store/billing-store.js'
import { type Check, checkOf } from './check.js'
import { hourOf, printHour } from './hours.js'
import type { Scope } from './scope.js'
import { type BillingProgress, billableOf } from './store/money-checks.js'

export interface RecountDeps {
  readonly postgres: Postgres
  readonly log: EventLog
  readonly tokenKeys: readonly TokenKey[]
}

/** More than any price: in a recount of validity nothing may stop at a limit. */
const UNLIMITED = 10n ** 30n

/**
 * Valid billable interactions by the log beside the charge rows for them, charged or over a limit, hour by hour. Reads the interactions
 * topic through the token check and the rules of validity, without budgets and without what billing has stored, up to billing's offset as
 * it was when the charges were counted, so that it agrees while billing is at work. Where the log's retention has removed its beginning,
 * the log can only lack some. What a key sealed that is not configured any more can't be judged again, and is left out of both. Keeps the
 * slots of one partition in memory (some 250 bytes an impression).
 */
export async function checkBillable(
  { postgres, log, tokenKeys }: RecountDeps,
  scope: Scope,
  progress: BillingProgress,
  onRecords: (records: number) => void,
): Promise<Check> {
  const tokens = createTokenSealer(tokenKeys)
  const campaigns = new Map<string, CampaignLimits>()
  const unlimited = new Map<string, bigint>()
  const judged = new Set<string>()
  const inLog = new Map<number, number>()
  const keyIds = new Map<string, string>()
  let waitingInLog = 0
  let complete = true

  for (const { partition, first } of await log.ranges(TOPICS.interactions)) {
    const end = progress.next.get(partition)
    const from = await scope.firstOf(TOPICS.interactions, partition, first)
    if (first > 0n && from <= first) complete = false
    if (end === undefined || end <= from) continue
    const slots = new Map<string, SlotState>()
    const counters = new Map<string, SpendCounter>()
    let waiting: readonly WaitingClick[] = []
    let watermarkMs = 0
    for await (const records of log.read(TOPICS.interactions, partition, from, end)) {
      const inOrder: InteractionOrTick[] = []
      const unknownKeys = new Map<BillableInteraction, string>()
      for (const record of records) {
        const read = readInteraction(record, tokens)
        if (read.kind === 'tick') inOrder.push(read.tick)
        if (read.kind !== 'billable') continue
        inOrder.push(read.interaction)
        if (read.unknownKeyId !== undefined) unknownKeys.set(read.interaction, read.unknownKeyId)
      }
      await learnCampaigns(postgres, inOrder.filter(isInteraction), campaigns, unlimited)
      const state: BillingState = {
        judged,
        slots,
        campaigns,
        wallets: unlimited,
        counters,
        watermarkMs,
        waiting,
        waitingElsewhere: new Set(),
      }
      const decision = decideCharges(state, inOrder)
      for (const { interaction, outcome } of decision.verdicts) {
        judged.add(interaction.interactionId)
        const keyId = unknownKeys.get(interaction)
        if (keyId !== undefined) keyIds.set(interaction.interactionId, keyId)
        if (outcome !== 'charged') continue
        const hourMs = hourOf(interaction.occurredAtMs)
        inLog.set(hourMs, (inLog.get(hourMs) ?? 0) + 1)
      }
      for (const { interactionId } of decision.free) judged.add(interactionId)
      for (const [key, slot] of decision.slots) slots.set(key, slot)
      for (const [key, counter] of decision.counters) counters.set(key, counter)
      watermarkMs = decision.watermarkMs
      const waited = new Set(decision.waited)
      waiting = [...waiting.filter((click) => !waited.has(click)), ...decision.waits]
      onRecords(records.length)
    }
    waitingInLog += waiting.length
  }
  const sealed = await sealedByUnknownKeys(postgres, keyIds, scope.sinceMs)
  return compareHours({ byHour: inLog, waiting: waitingInLog }, progress, sealed, complete, scope.sinceMs)
}

interface Sealed {
  readonly byHour: ReadonlyMap<number, number>
  readonly total: number
  readonly keyIds: readonly string[]
}

const IDS_PER_QUERY = 10_000

/** Charge rows for valid billable interactions whose keys are not configured: what was made up under such a name was never one. */
async function sealedByUnknownKeys(
  postgres: Postgres,
  keyIds: ReadonlyMap<string, string>,
  sinceMs: number,
): Promise<Sealed> {
  const byHour = new Map<number, number>()
  const named = new Set<string>()
  let total = 0
  const ids = [...keyIds.keys()]
  for (let start = 0; start < ids.length; start += IDS_PER_QUERY) {
    for (const [id, atMs] of await billableOf(postgres, ids.slice(start, start + IDS_PER_QUERY))) {
      if (atMs < sinceMs) continue
      byHour.set(hourOf(atMs), (byHour.get(hourOf(atMs)) ?? 0) + 1)
      named.add(keyIds.get(id)!)
      total++
    }
  }
  return { byHour, total, keyIds: [...named].sort() }
}

interface Billable {
  /** Valid billable interactions by the hour in which they occurred. */
  readonly byHour: ReadonlyMap<number, number>
  /** Clicks that still wait for their impression. */
  readonly waiting: number
}

function compareHours(
  { byHour: inLog, waiting: waitingInLog }: Billable,
  { byHour: allCharges, waiting: waitingInBilling }: Billable,
  sealed: Sealed,
  complete: boolean,
  sinceMs: number,
): Check {
  const inCharges = new Map(
    [...allCharges].map(([hourMs, count]) => [hourMs, count - (sealed.byHour.get(hourMs) ?? 0)]),
  )
  const hours = [...new Set([...inLog.keys(), ...inCharges.keys()])]
    .filter((hourMs) => hourMs >= sinceMs)
    .sort((a, b) => a - b)
  const totalOf = (counts: ReadonlyMap<number, number>) =>
    hours.reduce((total, hourMs) => total + (counts.get(hourMs) ?? 0), 0)
  const wrong = hours.flatMap((hourMs) => {
    const [logged, charged] = [inLog.get(hourMs) ?? 0, inCharges.get(hourMs) ?? 0]
    const agree = complete ? logged === charged : logged <= charged
    return agree ? [] : [`${printHour(hourMs)}: ${logged} in the log, ${charged} in charges`]
  })
  if (complete && waitingInLog !== waitingInBilling)
    wrong.push(`${waitingInLog} clicks wait in the log, ${waitingInBilling} in billing`)
  const print = (count: number, waiting: number) =>
    waiting === 0 ? String(count) : `${count} (${waiting} clicks wait for their impression)`
  const leftOut = printSealed(sealed)
  const left = `${complete ? '' : 'at least '}${print(totalOf(inLog), waitingInLog)}${leftOut}`
  const right = `${print(totalOf(inCharges), waitingInBilling)}${leftOut}`
  const check = checkOf('billable_equal_charges', left, right, wrong)
  return { ...check, ok: wrong.length === 0 }
}

function printSealed({ total, keyIds }: Sealed): string {
  if (total === 0) return ''
  return ` and ${total} sealed by ${keyIds.join(', ')}, which ${keyIds.length === 1 ? 'is' : 'are'} not configured`
}

async function learnCampaigns(
  postgres: Postgres,
  interactions: readonly BillableInteraction[],
  campaigns: Map<string, CampaignLimits>,
  wallets: Map<string, bigint>,
): Promise<void> {
  const unknown = new Set(
    interactions.map(({ slot }) => slot.campaignId).filter((campaignId) => !campaigns.has(campaignId)),
  )
  if (unknown.size === 0) return
  for (const [id, limits] of await campaignLimits(postgres, [...unknown])) {
    campaigns.set(id, {
      ...limits,
      budgetDailyMicros: undefined,
      budgetWeeklyMicros: undefined,
      budgetMonthlyMicros: undefined,
      budgetTotalMicros: undefined,
    })
    wallets.set(limits.merchantId, UNLIMITED)
  }
}
