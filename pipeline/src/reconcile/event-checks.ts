import { type AuctionEvent, type BillingEvent, type OrderEvent, TOPICS } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { EventLog, LogRecord } from '@endcap/platform/event-log'
import {
  INGESTED_TOPICS,
  type IngestedEvent,
  type IngestedTopic,
  planOf,
  type TopicPlan,
} from '../ingest/plans.js'
import { createEncodeEventStep, type EncodedEvent } from '../ingest/steps/encode-event.js'
import { createReadEventStep } from '../ingest/steps/read-event.js'
import { type Check, checkOf } from './check.js'
import { hourOf, printHour } from './hours.js'
import type { Scope } from './scope.js'
import {
  amountsByHour,
  type EventRows,
  type StoredWithin,
  slotsUnlikeAuctions,
  storedByHour,
  storedOfHour,
} from './store/event-checks.js'

const ROWS: Readonly<Record<IngestedTopic, EventRows>> = {
  [TOPICS.auctions]: {
    name: 'auctions',
    from: 'auctions_v1',
    key: 'event_id',
    amounts: { from: 'auction_slots_v1', micros: 'toInt128(bid_micros) + price_micros' },
  },
  [TOPICS.interactions]: { name: 'interactions', from: 'interactions_v1', key: 'event_id' },
  [TOPICS.orders]: {
    name: 'orders',
    from: 'order_lines_v1',
    key: 'event_id, line_id',
    amounts: { from: 'order_lines_v1', micros: 'toInt128(quantity) * unit_price_micros' },
  },
  [TOPICS.charges]: {
    name: 'charges',
    from: `(select event_id, occurred_at, source_batch from charges_v1
      union all select event_id, occurred_at, source_batch from free_verdicts_v1)`,
    key: 'event_id',
    amounts: { from: 'charges_v1', micros: 'toInt128(amount_micros) + price_micros' },
  },
}

/** What the rows of a topic's events say in money, over all of an hour, in whatever currencies. */
const AMOUNTS: Partial<Record<IngestedTopic, (event: IngestedEvent) => bigint>> = {
  [TOPICS.auctions]: (event) =>
    (event as AuctionEvent).data.candidates.reduce(
      (sum, { bidMicros, priceMicros }) => sum + BigInt(bidMicros) + BigInt(priceMicros),
      0n,
    ),
  [TOPICS.orders]: (event) =>
    (event as OrderEvent).data.lines.reduce(
      (sum, { quantity, unitPriceMicros }) => sum + BigInt(quantity) * BigInt(unitPriceMicros),
      0n,
    ),
  [TOPICS.charges]: (event) => amountsOfBilling(event as BillingEvent),
}

/** What over-delivery would have cost is in its price alone. */
function amountsOfBilling({ type, data }: BillingEvent): bigint {
  if (type === 'verdicts') return 0n
  return type === 'clawback'
    ? -BigInt(data.amountMicros)
    : BigInt(data.amountMicros) + BigInt(data.priceMicros)
}

export interface EventCheckDeps {
  readonly log: EventLog
  readonly clickhouse: ClickHouse
}

/**
 * The log beside ClickHouse, event by event, as far as ingest had come: each is stored, once, and nothing else is. An hour that lacks
 * events is named by the second check. Where the log's retention has removed its beginning, what it holds is a part of what is stored.
 */
export async function checkEvents(
  deps: EventCheckDeps,
  scope: Scope,
  onRecords: (records: number) => void,
): Promise<readonly Check[]> {
  const inLog: string[] = []
  const inStore: string[] = []
  const wrong: string[] = []
  const amounts = { sums: 0, unlike: [] as string[] }
  const loggedHours = new Set<number>()
  const lackingHours = new Map<number, string[]>()
  const lacks = (hourMs: number, what: string) =>
    lackingHours.set(hourMs, [...(lackingHours.get(hourMs) ?? []), what])

  for (const topic of INGESTED_TOPICS) {
    const name = topic.split('.')[1]!
    const logged = await readLog(deps.log, topic, scope, onRecords)
    for (const hourMs of logged.hours.keys()) loggedHours.add(hourMs)
    const compared = await compareTopic(deps.clickhouse, topic, scope, logged)
    inLog.push(`${name} ${logged.complete ? '' : 'at least '}${logged.events}`)
    inStore.push(`${name} ${compared.events}`)
    for (const { hourMs, missing, doubled, foreign } of compared.differing) {
      const hour = printHour(hourMs)
      wrong.push(
        ...missing.map((id) => `${id} of ${hour} is missing`),
        ...doubled.map((id) => `${id} of ${hour} is stored more than once`),
        ...foreign.map((id) => `${id} of ${hour} is not in the log`),
      )
      if (missing.length > 0) lacks(hourMs, `${missing.length} ${name}`)
    }
    for (const [hourMs, { logged: said, stored }] of compared.amounts) {
      amounts.sums++
      if (said !== stored)
        amounts.unlike.push(`${name} of ${printHour(hourMs)}: ${said} micros in the log, ${stored} stored`)
    }
  }
  const slots = await deps.clickhouse.query(slotsUnlikeAuctions, {
    sinceMs: scope.sinceMs,
    beforeMs: scope.hoursBeforeMs,
  })
  for (const { startMs } of slots) lacks(startMs, 'slots of auctions')
  const lacking = [...lackingHours].sort(([a], [b]) => a - b)
  const whole = [...loggedHours].filter((hourMs) => !lackingHours.has(hourMs)).length
  return [
    { ...checkOf('events_stored_once', inLog.join(', '), inStore.join(', '), wrong), ok: wrong.length === 0 },
    checkOf(
      'clickhouse_hours_complete',
      `${loggedHours.size} hours`,
      `${whole} hours`,
      lacking.map(([hourMs, what]) => `${printHour(hourMs)} lacks ${what.join(', ')}`),
    ),
    checkOf(
      'amounts_equal_log',
      `${amounts.sums} sums by the hour`,
      `${amounts.sums - amounts.unlike.length} sums by the hour`,
      amounts.unlike,
    ),
  ]
}

interface LoggedEvents {
  /** Distinct ids by the hour in which the events occurred. */
  readonly hours: ReadonlyMap<number, ReadonlySet<string>>
  /** Of the events by the hour; empty for a topic whose events say none. */
  readonly amounts: ReadonlyMap<number, bigint>
  readonly events: number
  /** False when not all that is stored can be found in what was read. */
  readonly complete: boolean
}

async function readLog(
  log: EventLog,
  topic: IngestedTopic,
  scope: Scope,
  onRecords: (records: number) => void,
): Promise<LoggedEvents> {
  const eventOf = createEventOf(planOf(topic))
  const amountOf = AMOUNTS[topic]
  const hours = new Map<number, Set<string>>()
  const amounts = new Map<number, bigint>()
  let events = 0
  let complete = true
  const ingested = scope.ingestedOf(topic)
  for (const { partition, first, end } of await log.ranges(topic)) {
    const from = await scope.firstOf(topic, partition, first)
    if (from > 0n) complete = false
    for await (const records of log.read(topic, partition, from, ingested.get(partition) ?? end)) {
      for (const record of records) {
        const event = eventOf(record)
        if (!event || event.occurredAtMs < scope.sinceMs) continue
        const hourMs = hourOf(event.occurredAtMs)
        const ids = hours.get(hourMs) ?? new Set<string>()
        if (ids.has(event.id)) continue
        events++
        hours.set(hourMs, ids.add(event.id))
        if (amountOf) amounts.set(hourMs, (amounts.get(hourMs) ?? 0n) + amountOf(event.event))
      }
      onRecords(records.length)
    }
  }
  return { hours, amounts, events, complete }
}

/** A record that ingest takes for an event, by ingest's own steps. */
function createEventOf(plan: TopicPlan) {
  const readEvent = createReadEventStep(plan)
  const encodeEvent = createEncodeEventStep(plan)
  return (record: LogRecord): Pick<EncodedEvent, 'id' | 'occurredAtMs' | 'event'> | undefined => {
    const event = readEvent(record)
    if (event.kind !== 'ok') return undefined
    const encoded = encodeEvent(event.value, '')
    return encoded.kind === 'ok' ? encoded.value : undefined
  }
}

interface HourDifference {
  readonly hourMs: number
  readonly missing: readonly string[]
  readonly doubled: readonly string[]
  readonly foreign: readonly string[]
}

async function compareTopic(
  clickhouse: ClickHouse,
  topic: IngestedTopic,
  scope: Scope,
  logged: LoggedEvents,
): Promise<{
  readonly events: number
  readonly differing: readonly HourDifference[]
  /** Of the hours whose events are all stored. */
  readonly amounts: ReadonlyMap<number, { readonly logged: bigint; readonly stored: bigint }>
}> {
  const table = ROWS[topic]
  const ingested = scope.ingestedOf(topic)
  const partitions = { partitions: [...ingested.keys()], nexts: [...ingested.values()] }
  const rows = await clickhouse.query(storedByHour(table), { sinceMs: scope.sinceMs, ...partitions })
  const stored = new Map(rows.map((row) => [row.startMs, row]))
  const differing: HourDifference[] = []
  const amounts = new Map<number, { logged: bigint; stored: bigint }>()
  const storedAmounts = await amountsOf(clickhouse, table, { sinceMs: scope.sinceMs, ...partitions })
  for (const hourMs of [...new Set([...logged.hours.keys(), ...stored.keys()])].sort((a, b) => a - b)) {
    const ids = logged.hours.get(hourMs) ?? new Set<string>()
    const hour = stored.get(hourMs)
    if (hour && hour.ids === ids.size && hour.rows === hour.distinctRows) {
      const amount = logged.amounts.get(hourMs)
      if (amount !== undefined)
        amounts.set(hourMs, { logged: amount, stored: storedAmounts.get(hourMs) ?? 0n })
      continue
    }
    const found = await clickhouse.query(storedOfHour(table), { sinceMs: hourMs, ...partitions })
    const foundIds = new Set(found.map(({ id }) => id))
    const difference = {
      hourMs,
      missing: [...ids].filter((id) => !foundIds.has(id)),
      doubled: found.filter(({ doubled }) => doubled > 0).map(({ id }) => id),
      foreign: logged.complete
        ? found.filter(({ id, byThen }) => byThen > 0 && !ids.has(id)).map(({ id }) => id)
        : [],
    }
    if (difference.missing.length + difference.doubled.length + difference.foreign.length > 0)
      differing.push(difference)
  }
  return { events: rows.reduce((total, { ids }) => total + ids, 0), differing, amounts }
}

async function amountsOf(
  clickhouse: ClickHouse,
  { name, amounts }: EventRows,
  within: StoredWithin,
): Promise<ReadonlyMap<number, bigint>> {
  if (!amounts) return new Map()
  const rows = await clickhouse.query(amountsByHour(name, amounts), within)
  return new Map(rows.map(({ startMs, micros }) => [startMs, micros]))
}
