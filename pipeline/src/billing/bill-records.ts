import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  budgetDay,
  type Clock,
  createTokenSealer,
  type IdSource,
  TOPICS,
  type TokenKey,
  type Topic,
} from '@endcap/contracts'
import type { EventLog, LogRecord } from '@endcap/platform/event-log'
import type { Postgres, Transaction } from '@endcap/platform/postgres'
import { startSpanUnder, TRACE_HEADER, traceparentOf } from '@endcap/platform/tracing'
import {
  advanceOffset,
  appendEventsToOutbox,
  type ConsumerProgress,
  ensureAccounts,
  postNewLedger,
  readProgress,
  StaleOffsetError,
  walletBalances,
} from '@endcap/storage/postgres'
import type { Span } from '@opentelemetry/api'
import { appendDeadLetters } from '../dead-letters/dead-letter.js'
import { chargeEventOf } from './charge-event.js'
import { decideCharges } from './domain/decide-charges.js'
import { periodsOf } from './domain/spend.js'
import {
  type BillableInteraction,
  type BillingState,
  type Decision,
  type InteractionOrTick,
  isInteraction,
  type Unplaced,
} from './domain/types.js'
import { logTimeAfter } from './domain/validity.js'
import { type ReadInteraction, readInteraction } from './read-interaction.js'
import {
  type ChargeRow,
  campaignLimits,
  judgedInteractions,
  lockCounters,
  slotStates,
  writeCharges,
  writeCounters,
  writeSlots,
} from './store/billing-store.js'
import { addWaitingClicks, removeWaitingClicks, waitingClicks, waitingIds } from './store/waiting-clicks.js'
import { verdictsEventsOf } from './verdicts-event.js'

/** The name under which billing keeps its offsets. */
export const BILLING_CONSUMER = 'billing'

export interface BillRecordsDeps {
  readonly log: EventLog
  readonly postgres: Postgres
  readonly tokenKeys: readonly TokenKey[]
  readonly clock: Clock
  readonly ids: IdSource
  /** At most this many records a transaction. Default 4000. */
  readonly maxBatchRecords?: number
  /** Hears of records that the log had given up before they were billed, as when its retention is shorter than an outage. */
  readonly onLost?: (lost: { readonly partition: number; readonly from: bigint; readonly to: bigint }) => void
}

export interface RecordsOfPartition {
  readonly topic: Topic
  readonly partition: number
  readonly records: readonly LogRecord[]
  isStale(): boolean
}

/** What became of some records, for metrics. */
export interface Billed {
  readonly records: number
  readonly malformed: number
  readonly verdicts: Decision['verdicts']
  readonly free: Decision['free']
  readonly waits: Decision['waits']
  readonly unplaced: readonly Unplaced[]
}

interface ReadRecord {
  readonly record: LogRecord
  readonly what: ReadInteraction
}

const MAX_OFFSET_RACES = 5
/** Records a transaction, unless told otherwise. */
export const BATCH_RECORDS = 4_000
/** Between slices of this many records the event loop gets its turn: what Postgres answered meanwhile is waiting there. */
const RECORDS_PER_TURN = 64

/**
 * Bills records of one partition: whatever of them the stored offset has not passed, batch by batch, each in one transaction together
 * with the offset. Another consumer that moved the offset meanwhile wins: nothing is written here, and what it billed is left out.
 * While Postgres works on one batch, the next one is read.
 */
export function createBillRecords(deps: BillRecordsDeps) {
  const { log, postgres, clock, ids } = deps
  const tokens = createTokenSealer(deps.tokenKeys)
  const batchRecords = deps.maxBatchRecords ?? BATCH_RECORDS

  return async function billRecords(batch: RecordsOfPartition): Promise<readonly Billed[]> {
    const { topic, partition } = batch
    const where = { consumer: BILLING_CONSUMER, topic, partition }
    const billed: Billed[] = []
    for (let races = 0; ; races++) {
      let progress = await readProgress(postgres, where)
      const stored = progress?.next
      const due =
        stored === undefined ? batch.records : batch.records.filter((record) => record.offset >= stored)
      const first = due[0]
      if (!first || batch.isStale()) return billed
      try {
        if (stored !== undefined && stored < first.offset) {
          // The database is behind the log's reader, as after a restore: what lies between has not been billed.
          let left = first.offset
          for await (const missed of log.read(topic, partition, stored, first.offset)) {
            const from = missed[0]?.offset ?? left
            if (from < left) left = from
            progress = await billAll(batch, missed, progress, billed)
          }
          if (left > stored) deps.onLost?.({ partition, from: stored, to: left })
        }
        await billAll(batch, due, progress, billed)
        return billed
      } catch (error) {
        if (!(error instanceof StaleOffsetError) || races >= MAX_OFFSET_RACES) throw error
      }
    }
  }

  /**
   * Every transaction is built on the offset that the one before has stored, never on one that is read again: what anybody else stores in
   * between makes it stale.
   */
  async function billAll(
    { topic, partition, isStale }: RecordsOfPartition,
    records: readonly LogRecord[],
    from: ConsumerProgress | undefined,
    billed: Billed[],
  ): Promise<ConsumerProgress | undefined> {
    let progress = from
    let next = readRecords(records.slice(0, batchRecords))
    for (let start = 0; start < records.length; start += batchRecords) {
      const read = await next
      if (isStale()) return progress
      next = readRecords(records.slice(start + batchRecords, start + 2 * batchRecords))
      // Awaited at the next turn; until then, or when this batch fails, nobody listens.
      next.catch(() => {})
      const done = await billOnce(topic, partition, progress, read)
      billed.push(done.billed)
      progress = done.progress
    }
    return progress
  }

  async function readRecords(records: readonly LogRecord[]): Promise<readonly ReadRecord[]> {
    const read: ReadRecord[] = []
    for (const record of records) {
      read.push({ record, what: readInteraction(record, tokens) })
      if (read.length % RECORDS_PER_TURN === 0) await nextTurn()
    }
    return read
  }

  async function billOnce(
    topic: Topic,
    partition: number,
    from: ConsumerProgress | undefined,
    read: readonly ReadRecord[],
  ): Promise<{ readonly billed: Billed; readonly progress: ConsumerProgress }> {
    const recordOf = new Map<InteractionOrTick, LogRecord>()
    for (const { record, what } of read) {
      if (what.kind === 'billable') recordOf.set(what.interaction, record)
      if (what.kind === 'tick') recordOf.set(what.tick, record)
    }
    const spans = spansOf(recordOf)
    const inOrder = [...recordOf.keys()]
    const interactions = inOrder.filter(isInteraction)
    const now = new Date(clock())
    const to = read.at(-1)!.record.offset + 1n
    const startMs = from?.watermark?.getTime() ?? 0
    const watermarkMs = inOrder.reduce(logTimeAfter, startMs)

    const deadLetterOf = ({ interaction, reason }: Unplaced) => ({
      topic,
      partition,
      record: recordOf.get(interaction)!,
      reason,
      detail: `merchant ${interaction.slot.merchantId}, campaign ${interaction.slot.campaignId}`,
      step: BILLING_CONSUMER,
    })

    const decision = await postgres.transaction(async (tx) => {
      // First of all: holds the partition's row until the end, and fails at once for a consumer that was overtaken.
      await advanceOffset(tx, {
        consumer: BILLING_CONSUMER,
        topic,
        partition,
        from: from?.next,
        to,
        now,
        watermark: new Date(watermarkMs),
      })
      if (inOrder.length === 0) return NOTHING
      const waiting = await waitingClicks(tx, partition, interactions, watermarkMs)
      if (interactions.length === 0 && waiting.length === 0) return NOTHING
      const state = { ...(await loadState(tx, interactions, waiting, now)), watermarkMs: startMs }
      const decided = decideCharges(state, inOrder)
      await writeDecision(tx, partition, decided, spans, now)
      // Before the commit: kept twice after a crash, which their origin shows, but never lost.
      await appendDeadLetters(log, decided.unplaced.map(deadLetterOf), now.getTime())
      return decided
    })
    for (const span of spans.values()) span.end()
    return {
      billed: {
        records: read.length,
        malformed: read.filter(({ what }) => what.kind === 'malformed').length,
        verdicts: decision.verdicts,
        free: decision.free,
        waits: decision.waits,
        unplaced: decision.unplaced,
      },
      progress: { next: to, watermark: new Date(watermarkMs) },
    }
  }

  async function writeDecision(
    tx: Transaction,
    partition: number,
    decision: Decision,
    spans: ReadonlyMap<InteractionOrTick, Span>,
    now: Date,
  ): Promise<void> {
    const charges: ChargeRow[] = decision.verdicts.map((verdict) => ({ chargeId: ids('charge'), verdict }))
    await writeSlots(tx, decision, now)
    await removeWaitingClicks(tx, decision.waited)
    await addWaitingClicks(tx, partition, decision.waits)
    await writeCharges(tx, charges, now)
    await writeCounters(tx, decision.counters, now)
    await postNewLedger(
      tx,
      charges.filter(({ verdict }) => verdict.amountMicros > 0n).map(ledgerTransactionOf),
      now,
    )
    await appendEventsToOutbox(
      tx,
      TOPICS.charges,
      [...charges.map((charge) => chargeEventOf(charge, now)), ...verdictsEventsOf(decision.free, ids, now)],
      charges.map(({ verdict }) => traceparentOf(spans.get(verdict.interaction))),
    )
  }
}

/** A span for each traced interaction, from the read to the commit. A batch that fails leaves its spans unsent: it comes again. */
function spansOf(records: ReadonlyMap<InteractionOrTick, LogRecord>): ReadonlyMap<InteractionOrTick, Span> {
  const spans = new Map<InteractionOrTick, Span>()
  for (const [interaction, { headers }] of records) {
    const span = startSpanUnder(headers[TRACE_HEADER], 'bill interaction')
    if (span) spans.set(interaction, span)
  }
  return spans
}

const NOTHING: Pick<Decision, 'verdicts' | 'free' | 'waits' | 'unplaced'> = {
  verdicts: [],
  free: [],
  waits: [],
  unplaced: [],
}

/**
 * What the decision depends on, with campaigns held as they are, and wallets and then counters locked, each in one order. A merchant's wallet is locked even
 * where it is empty: it is what makes two transactions over one merchant's campaigns wait for each other.
 */
async function loadState(
  tx: Transaction,
  interactions: readonly BillableInteraction[],
  waiting: BillingState['waiting'],
  now: Date,
): Promise<Omit<BillingState, 'watermarkMs'>> {
  const idOf = ({ interactionId }: BillableInteraction) => interactionId
  const here = new Set(waiting.map(({ interaction }) => idOf(interaction)))
  const allWaiting = await waitingIds(tx, interactions.map(idOf))
  const concerned = [...interactions, ...waiting.map(({ interaction }) => interaction)]
  const campaigns = await campaignLimits(tx, [...new Set(concerned.map(({ slot }) => slot.campaignId))], {
    hold: true,
  })
  const merchants = new Map([...campaigns.values()].map(({ merchantId, currency }) => [merchantId, currency]))
  await ensureAccounts(
    tx,
    [...merchants].map(([merchantId, currency]) => ({ kind: 'wallet', merchantId, currency })),
    now,
  )
  const balances = await walletBalances(tx, [...merchants.keys()], { forUpdate: true })
  const days = new Set<string>()
  const zones = new Set([...campaigns.values()].map(({ timeZone }) => timeZone))
  const hours = new Set(concerned.map(({ occurredAtMs }) => Math.floor(occurredAtMs / HOUR_MS)))
  for (const timeZone of zones) {
    for (const hour of hours) {
      // A zone's day may begin within an hour: both of its ends are asked.
      days.add(budgetDay(hour * HOUR_MS, timeZone))
      days.add(budgetDay((hour + 1) * HOUR_MS - 1, timeZone))
    }
  }
  return {
    judged: await judgedInteractions(tx, concerned.map(idOf)),
    waiting,
    waitingElsewhere: new Set([...allWaiting].filter((id) => !here.has(id))),
    slots: await slotStates(tx, interactions, now),
    campaigns,
    wallets: new Map([...balances].map(([merchantId, { balanceMicros }]) => [merchantId, balanceMicros])),
    counters: await lockCounters(tx, [...campaigns.keys()], [...new Set([...days].flatMap(periodsOf))]),
  }
}
const HOUR_MS = 3_600_000

function ledgerTransactionOf({ chargeId, verdict }: ChargeRow) {
  const { currency, amountMicros, interaction } = verdict
  const { merchantId } = interaction.slot
  return {
    transactionId: chargeId,
    kind: 'charge' as const,
    currency,
    occurredAt: new Date(interaction.occurredAtMs),
    reference: interaction.interactionId,
    entries: [
      { account: { kind: 'wallet' as const, merchantId, currency }, amountMicros: -amountMicros },
      { account: { kind: 'revenue' as const, currency }, amountMicros },
    ],
  }
}
