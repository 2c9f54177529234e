import { setTimeout as delay } from 'node:timers/promises'
import { type Clock, TOPICS, type Topic } from '@endcap/contracts'
import type { EventLog, NewRecord } from '@endcap/platform/event-log'
import type { Component } from '@endcap/platform/lifecycle'
import { counterOf, gaugeOf, type Registry } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { startSpanUnder, TRACE_HEADER, traceparentOf } from '@endcap/platform/tracing'
import type { Span } from '@opentelemetry/api'
import type { Logger } from 'pino'

export interface OutboxRelayOptions {
  readonly postgres: Postgres
  readonly log: EventLog
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Registry
  /** Pause between looks at an empty outbox. Default 50 ms. */
  readonly pollMs?: number
}

const ROWS_PER_TOPIC = 500
const RETRY_MS = 500
const STUCK_AFTER_MS = 5_000
const LEADER = 'outbox-relay'

interface OutboxRow {
  readonly id: bigint
  readonly topic: Topic
  readonly key: string
  readonly value: string
  readonly traceparent: string | null
}

/**
 * Carries the outbox to the event log: appended and synced first, deleted after. A crash in between sends records again,
 * with the same event ids; nothing is lost. One process at a time does it; the others stand by.
 *
 * Within a topic, records arrive in the order their transactions committed. A topic that the log refuses waits without
 * holding up the others.
 */
export function createOutboxRelay(options: OutboxRelayOptions): Component {
  const { postgres, log, clock, logger, metrics, pollMs = 50 } = options
  const relayed = counterOf(metrics, {
    name: 'endcap_outbox_relayed_total',
    help: 'Outbox records appended to the event log',
    labelNames: ['topic'],
  })
  const oldest = gaugeOf(metrics, {
    name: 'endcap_outbox_oldest_seconds',
    help: 'Age of the oldest outbox record that waits, as the relaying process last saw it',
  })
  const stopping = new AbortController()
  let running: Promise<void> | undefined
  let failure: { readonly sinceMs: number; readonly reason: string } | undefined

  function noteFailure(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    if (failure?.reason !== reason) logger.warn({ reason }, 'the outbox cannot be carried to the event log')
    failure = { sinceMs: failure?.sinceMs ?? clock(), reason }
  }

  async function relayUntilStopped(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await postgres.withLeadership(LEADER, relayWhileLeading)
      } catch (error) {
        noteFailure(error)
      }
      await pause(RETRY_MS)
    }
  }

  async function relayWhileLeading(lost: AbortSignal): Promise<void> {
    while (!stopping.signal.aborted && !lost.aborted) {
      const round = await relayRound(lost)
      if (round.error === undefined) failure = undefined
      else noteFailure(round.error)
      if (round.error !== undefined) await pause(RETRY_MS)
      else if (round.carried === 0) await pause(pollMs)
    }
  }

  async function relayRound(
    lost: AbortSignal,
  ): Promise<{ readonly carried: number; readonly error?: unknown }> {
    const { rows } = await postgres.query<OutboxRow & { ageSeconds: number }>(
      `select waiting.id, waiting.topic, waiting.key, waiting.value, waiting.traceparent,
         extract(epoch from clock_timestamp() - waiting.created_at)::float8 as "ageSeconds"
       from unnest($1::text[]) as wanted (topic)
       cross join lateral (
         select id, topic, key, value, traceparent, created_at from outbox where topic = wanted.topic order by id limit $2
       ) as waiting
       order by waiting.topic, waiting.id`,
      [Object.values(TOPICS), ROWS_PER_TOPIC],
    )
    oldest.set(rows.reduce((age, row) => Math.max(age, row.ageSeconds), 0))
    let carried = 0
    let failed: { readonly error: unknown } | undefined
    for (const [topic, records] of byTopic(rows)) {
      // Another process may lead by now: appending after it could put an older state over a newer one.
      if (lost.aborted) break
      try {
        await appendTraced(topic, records)
        await postgres.query('delete from outbox where id = any ($1)', [records.map((record) => record.id)])
        relayed.inc({ topic }, records.length)
        carried += records.length
      } catch (error) {
        failed = { error }
      }
    }
    return { carried, ...failed }
  }

  /** The trace of each record goes on in the log, below a span of its own. */
  async function appendTraced(topic: Topic, rows: readonly OutboxRow[]): Promise<void> {
    const spans: Span[] = []
    const records = rows.map(({ key, value, traceparent }): NewRecord => {
      const span = startSpanUnder(traceparent ?? undefined, 'relay outbox', { 'endcap.topic': topic })
      if (!span) return { key, value }
      spans.push(span)
      return { key, value, headers: { [TRACE_HEADER]: traceparentOf(span) ?? traceparent! } }
    })
    try {
      await log.append(topic, records, 'synced')
    } finally {
      for (const span of spans) span.end()
    }
  }

  const pause = (ms: number): Promise<void> =>
    delay(ms, undefined, { signal: stopping.signal }).catch(() => {
      // Stopping ends every pause at once.
    })

  return {
    name: 'outbox-relay',
    async start() {
      running = relayUntilStopped()
    },
    async stop() {
      stopping.abort()
      await running
    },
    problem() {
      if (!failure || clock() - failure.sinceMs < STUCK_AFTER_MS) return undefined
      return `changes do not reach the event log: ${failure.reason}`
    },
  }
}

function byTopic(rows: readonly OutboxRow[]): ReadonlyMap<Topic, readonly OutboxRow[]> {
  const topics = new Map<Topic, OutboxRow[]>()
  for (const row of rows) {
    const known = topics.get(row.topic)
    if (known) known.push(row)
    else topics.set(row.topic, [row])
  }
  return topics
}
