import type {
  AnyEvent,
  ApiKeyState,
  CampaignState,
  IdSource,
  ListingState,
  MerchantState,
  RulesState,
  Topic,
} from '@endcap/contracts'
import { newEvent, TOPICS } from '@endcap/contracts'
import { recordBytes } from '@endcap/platform/event-log'
import type { Queryable, Transaction } from '@endcap/platform/postgres'
import { bigintArray, textArray } from '@endcap/platform/postgres'
import { activeTraceparent } from '@endcap/platform/tracing'

/** What the relay needs of an event: the envelope is the writer's business. */
export type OutboxEvent = AnyEvent | { readonly id: string; readonly type: string; readonly key: string }

export interface OutboxEntry {
  /** The key of the record in the log. */
  readonly key: string
  /** Builds the event once its position is known; positions of one topic rise in commit order. */
  make(sequence: bigint): OutboxEvent
}

/**
 * Puts events into the outbox, to be appended to `topic` if this transaction commits.
 *
 * The topic's lock is taken before the ids are drawn and held until the transaction ends, so a higher id never commits
 * before a lower one and the relay may read by id. Writers of one topic thereby commit one after another: append last.
 * @throws RecordTooLargeError for an event that the log does not take
 */
export async function appendToOutbox(
  tx: Transaction,
  topic: Topic,
  entries: readonly OutboxEntry[],
): Promise<void> {
  if (entries.length === 0) return
  // nextval stands in the select list over the lock's row, so no id is drawn before the lock is held.
  const { rows } = await tx.query<{ id: bigint }>(
    `with held as materialized (select pg_advisory_xact_lock(hashtextextended('endcap:outbox:' || $1, 0)))
     select nextval(pg_get_serial_sequence('outbox', 'id')) as id from held, generate_series(1, $2::int)`,
    [topic, entries.length],
  )
  const ids = rows.map((row) => row.id).sort((a, b) => (a < b ? -1 : 1))
  await tx.query(
    `insert into outbox (id, topic, key, value, traceparent, created_at) overriding system value
     select id, $1, key, value, $5, statement_timestamp()
     from unnest($2::bigint[], $3::text[], $4::text[]) as row (id, key, value)`,
    [
      topic,
      bigintArray(ids),
      textArray(entries.map((entry) => entry.key)),
      textArray(entries.map((entry, index) => recordValueOf(entry.key, entry.make(ids[index]!)))),
      activeTraceparent() ?? null,
    ],
  )
}

/**
 * Like `appendToOutbox`, for many events that need not know their position: those of one topic, in this order. One statement, in which nothing
 * but the event itself is sent.
 * @param traceparents the trace of each event that has one, in their order
 * @throws RecordTooLargeError for an event that the log does not take
 */
export async function appendEventsToOutbox(
  tx: Transaction,
  topic: Topic,
  events: readonly OutboxEvent[],
  traceparents: readonly (string | undefined)[] = [],
): Promise<void> {
  if (events.length === 0) return
  await tx.query(
    `with held as materialized (select pg_advisory_xact_lock(hashtextextended('endcap:outbox:' || $1, 0)))
     insert into outbox (id, topic, key, value, traceparent, created_at) overriding system value
     select nextval(pg_get_serial_sequence('outbox', 'id')), $1, key, value, traceparent, statement_timestamp()
     from held, unnest($2::text[], $3::text[], $4::text[]) as row (key, value, traceparent)`,
    [
      topic,
      textArray(events.map((event) => event.key)),
      textArray(events.map((event) => recordValueOf(event.key, event))),
      // A null array gives every row null.
      traceparents.some((traceparent) => traceparent !== undefined)
        ? textArray(events.map((_, index) => traceparents[index] ?? null))
        : null,
    ],
  )
}

/** The keys of a topic's events that wait for the relay. */
export async function outboxKeys(q: Queryable, topic: Topic): Promise<ReadonlySet<string>> {
  const { rows } = await q.query<{ key: string }>('select distinct key from outbox where topic = $1', [topic])
  return new Set(rows.map(({ key }) => key))
}

/** The event as its record carries it. One that the log refuses would hold up its topic for good: it must not commit. */
function recordValueOf(key: string, event: OutboxEvent): string {
  const value = JSON.stringify(event)
  recordBytes({ key, value })
  return value
}

/** One entity's new state, without the position that the outbox gives it. */
export type EntityChange =
  | { readonly kind: 'merchant'; readonly id: string; readonly state: MerchantState }
  | { readonly kind: 'listing'; readonly id: string; readonly state: ListingState }
  | { readonly kind: 'campaign'; readonly id: string; readonly state: CampaignState }
  | { readonly kind: 'api_key'; readonly id: string; readonly state: ApiKeyState }
  | { readonly kind: 'rules'; readonly id: string; readonly state: RulesState }

/** Puts the whole new states of entities on the change feed, if this transaction commits. */
export async function appendChanges(
  tx: Transaction,
  changes: readonly EntityChange[],
  { ids, now, source }: { readonly ids: IdSource; readonly now: Date; readonly source: string },
): Promise<void> {
  const at = now.toISOString()
  await appendToOutbox(
    tx,
    TOPICS.changes,
    changes.map(({ kind, id, state }) => {
      const key = `${kind}:${id}`
      return {
        key,
        make: (sequence) =>
          newEvent('change', {
            id: ids('event'),
            occurredAtMs: Date.parse(at),
            source,
            key,
            data: { kind, id, sequence: sequence.toString(), state },
          }),
      }
    }),
  )
}
