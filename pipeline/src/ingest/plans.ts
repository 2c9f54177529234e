import {
  auctionEvent,
  type BillingEvent,
  billingEvent,
  INTERACTION_TYPES,
  type InteractionEvent,
  interactionEvent,
  orderEvent,
  TOPICS,
  type Topic,
} from '@endcap/contracts'
import { type EncodedRow, encodeRow, type Table } from '@endcap/platform/clickhouse'
import {
  auctionReads,
  auctionSlotRows,
  auctionSlotsTable,
  auctionsTable,
  chargeReads,
  chargesTable,
  type eventReads,
  freeVerdictsTable,
  interactionReads,
  interactionsTable,
  orderLineReads,
  orderLineRows,
  orderLinesTable,
  type StoredEvent,
} from '@endcap/storage/clickhouse'
import type { z } from 'zod'
import { VIEWS, type View } from '../rollups/index.js'

/** One table's share of an event. */
export interface TableRows {
  readonly table: Pick<Table<never>, 'name' | 'columns'>
  readonly lines: readonly EncodedRow[]
}

/** How the records of one topic become rows. */
export interface TopicPlan {
  readonly types: readonly string[]
  /** Types of events that leave no row: no report asks for them. Default none. */
  readonly unstored?: readonly string[]
  readonly schema: z.ZodType<IngestedEvent>
  /** The rows of a valid event, in a fixed order of tables. @throws CellError for a value that a column cannot hold */
  rows(event: IngestedEvent, batch: string): readonly TableRows[]
  /** The reads of the table that has one row or more for each event: there it is seen whether an event is stored. */
  readonly reads: ReturnType<typeof eventReads>
  /** The materialized views that these rows feed. */
  readonly views: readonly View[]
  /**
   * Records an insert. The rows of an insert are named by its records' offsets: change this only together with the tables, or a range
   * that was cut short by a crash right before may be stored in part.
   */
  readonly recordsPerInsert: number
}

export interface IngestedEvent {
  readonly id: string
  readonly occurredAt: string
}

function definePlan<Event extends IngestedEvent>(plan: {
  readonly types: readonly string[]
  readonly unstored?: readonly string[]
  readonly schema: z.ZodType<Event>
  readonly rows: (stored: StoredEvent<Event>) => readonly TableRows[]
  readonly reads: ReturnType<typeof eventReads>
  readonly views: readonly View[]
  readonly recordsPerInsert: number
}): TopicPlan {
  return {
    ...plan,
    // The event comes from `schema`, which makes Events only.
    rows: (event, batch) => plan.rows({ event: event as Event, batch }),
  }
}

const rowsOf = <Row>(table: Table<Row>, rows: readonly Row[]): TableRows => ({
  table,
  lines: rows.map((row) => encodeRow(table, row)),
})

/** The topics that ClickHouse remembers. */
const INGEST_PLANS = {
  [TOPICS.auctions]: definePlan({
    types: ['auction'],
    schema: auctionEvent,
    rows: (stored) => [rowsOf(auctionSlotsTable, auctionSlotRows(stored)), rowsOf(auctionsTable, [stored])],
    reads: auctionReads,
    views: [],
    // An auction has dozens of slot rows with features.
    recordsPerInsert: 500,
  }),
  [TOPICS.interactions]: definePlan<InteractionEvent>({
    types: INTERACTION_TYPES,
    unstored: ['tick'],
    schema: interactionEvent,
    rows: (stored) => [rowsOf(interactionsTable, [stored])],
    reads: interactionReads,
    views: [VIEWS.interactions],
    recordsPerInsert: 10_000,
  }),
  [TOPICS.orders]: definePlan({
    types: ['order'],
    schema: orderEvent,
    rows: (stored) => [rowsOf(orderLinesTable, orderLineRows(stored))],
    reads: orderLineReads,
    views: [],
    recordsPerInsert: 10_000,
  }),
  [TOPICS.charges]: definePlan<BillingEvent>({
    types: ['charge', 'clawback', 'verdicts'],
    schema: billingEvent,
    rows: ({ event, batch }) =>
      event.type === 'verdicts'
        ? [rowsOf(freeVerdictsTable, [{ event, batch }])]
        : [rowsOf(chargesTable, [{ event, batch }])],
    reads: chargeReads,
    views: [VIEWS.charges, VIEWS.clawbacks],
    recordsPerInsert: 10_000,
  }),
} as const satisfies Partial<Record<Topic, TopicPlan>>

export type IngestedTopic = keyof typeof INGEST_PLANS

export const INGESTED_TOPICS = Object.keys(INGEST_PLANS) as readonly IngestedTopic[]

export function planOf(topic: Topic): TopicPlan {
  const plan = (INGEST_PLANS as Partial<Record<Topic, TopicPlan>>)[topic]
  if (!plan) throw new Error(`${topic} is not stored in ClickHouse`)
  return plan
}
