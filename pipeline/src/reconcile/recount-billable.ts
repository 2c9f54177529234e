import { createTokenSealer, TOPICS, type TokenKey } from '@endcap/contracts'
import type { EventLog } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { BILLING_CONSUMER } from '../billing/bill-records.js'
import { decideCharges } from '../billing/domain/decide-charges.js'
import type {
  BillableInteraction,
  BillingState,
  CampaignLimits,
  SlotState,
  SpendCounter,
  WaitingClick,
} from '../billing/domain/types.js'
import { readInteraction } from '../billing/read-interaction.js'
import { campaignLimits } from '../billing/store/billing-store.js'

export interface RecountDeps {
  readonly postgres: Postgres
  readonly log: EventLog
  readonly tokenKeys: readonly TokenKey[]
}

export interface BillableRecount {
  /** Distinct valid billable interactions that the log holds, as far as billing has come. */
  readonly inLog: number
  /** Charge rows for such interactions: charged, or over a limit. */
  readonly inCharges: number
  /** Distinct clicks in the log that still wait for their impression, and those that billing keeps waiting. */
  readonly waitingInLog: number
  readonly waitingInBilling: number
  /** False when the log's retention has removed its beginning: `inLog` is then a lower bound. */
  readonly complete: boolean
}

/** More than any price: in a recount of validity nothing may stop at a limit. */
const UNLIMITED = 10n ** 30n

/**
 * Reads the interactions topic from its start through the token check and the rules of validity, without budgets and without
 * what billing has stored, and counts what should have been billed. Reads up to billing's offset as it was in the same
 * instant as the charge rows were counted, so that it agrees while billing is at work. Keeps the slots of one partition in
 * memory (some 150 bytes an impression).
 */
export async function recountBillable(
  { postgres, log, tokenKeys }: RecountDeps,
  onRecords: (records: number) => void = () => {},
): Promise<BillableRecount> {
  const { next, inCharges, waitingInBilling } = await readBillingProgress(postgres)
  const tokens = createTokenSealer(tokenKeys)
  const campaigns = new Map<string, CampaignLimits>()
  const unlimited = new Map<string, bigint>()
  const judged = new Set<string>()
  let inLog = 0
  let waitingInLog = 0
  let complete = true

  for (const { partition, first } of await log.ranges(TOPICS.interactions)) {
    const end = next.get(partition)
    if (first > 0n) complete = false
    if (end === undefined || end <= first) continue
    const slots = new Map<string, SlotState>()
    const counters = new Map<string, SpendCounter>()
    let waiting: readonly WaitingClick[] = []
    let watermarkMs = 0
    for await (const records of log.read(TOPICS.interactions, partition, first, end)) {
      const interactions: BillableInteraction[] = []
      for (const record of records) {
        const read = readInteraction(record, tokens)
        if (read.kind === 'billable') interactions.push(read.interaction)
      }
      await learnCampaigns(postgres, interactions, campaigns, unlimited)
      const state: BillingState = {
        judged,
        slots,
        campaigns,
        wallets: unlimited,
        counters,
        watermarkMs,
        waiting,
      }
      const decision = decideCharges(state, interactions)
      for (const { interaction, outcome } of decision.verdicts) {
        judged.add(interaction.interactionId)
        if (outcome === 'charged') inLog++
      }
      for (const [key, slot] of decision.slots) slots.set(key, slot)
      for (const [key, counter] of decision.counters) counters.set(key, counter)
      watermarkMs = decision.watermarkMs
      const waited = new Set(decision.waited)
      waiting = [...waiting.filter((click) => !waited.has(click)), ...decision.waits]
      onRecords(records.length)
    }
    waitingInLog += waiting.length
  }
  return { inLog, inCharges, waitingInLog, waitingInBilling, complete }
}

async function readBillingProgress(postgres: Postgres): Promise<{
  readonly next: ReadonlyMap<number, bigint>
  readonly inCharges: number
  readonly waitingInBilling: number
}> {
  // One statement, one snapshot.
  const { rows } = await postgres.query<{
    partition: number | null
    next: bigint | null
    inCharges: bigint
    waiting: bigint
  }>(
    `select o.partition, o.next_offset as next, c.n as "inCharges", w.n as waiting
     from (select count(*) as n from charges where outcome = 'charged' or reason like 'over\\_%') c
     cross join (
       select count(*) as n from waiting_clicks
       join consumer_offsets using (partition)
       where consumer = $1 and topic = $2 and deadline > watermark) w
     left join consumer_offsets o on o.consumer = $1 and o.topic = $2`,
    [BILLING_CONSUMER, TOPICS.interactions],
  )
  return {
    next: new Map(rows.flatMap(({ partition, next }) => (partition === null ? [] : [[partition, next!]]))),
    inCharges: Number(rows[0]!.inCharges),
    waitingInBilling: Number(rows[0]!.waiting),
  }
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
