import { setTimeout as delay } from 'node:timers/promises'
import { TOPICS } from '@endcap/contracts'
import type { EventLog } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { BILLING_CONSUMER } from '../billing/bill-records.js'
import { ingestedThrough } from '../ingest/progress.js'

export interface SettleDeps {
  readonly postgres: Postgres
  readonly log: EventLog
}

export interface SettleOptions {
  /** The time allowed begins anew whenever something has moved. */
  readonly sinceProgress?: boolean
}

/** Something was still on its way at the deadline. */
export class NotSettledError extends Error {
  override readonly name = 'NotSettledError'
}

const POLL_MS = 50

/**
 * Resolves when everything in the log has been billed, the outbox is empty and ingest has stored the log in ClickHouse, in this
 * order: each fills the next. With traffic going on, that may be never.
 *
 * @throws NotSettledError naming what is still on its way after `timeoutMs`
 */
export async function waitUntilSettled(
  deps: SettleDeps,
  timeoutMs: number,
  { sinceProgress = false }: SettleOptions = {},
): Promise<void> {
  let deadline = performance.now() + timeoutMs
  let before: string | undefined
  for (;;) {
    const waitingFor = await unsettled(deps)
    if (waitingFor === undefined) return
    if (sinceProgress && waitingFor !== before) deadline = performance.now() + timeoutMs
    if (performance.now() > deadline) {
      const span = `${timeoutMs / 1000} s${sinceProgress ? ' without progress' : ''}`
      throw new NotSettledError(`after ${span} still waiting for ${waitingFor}`)
    }
    before = waitingFor
    await delay(POLL_MS)
  }
}

/** Whether nothing is on its way now. */
export const isSettled = async (deps: SettleDeps): Promise<boolean> => (await unsettled(deps)) === undefined

async function unsettled({ postgres, log }: SettleDeps): Promise<string | undefined> {
  const { rows: offsets } = await postgres.query<{ partition: number; next: bigint }>(
    'select partition, next_offset as next from consumer_offsets where consumer = $1 and topic = $2',
    [BILLING_CONSUMER, TOPICS.interactions],
  )
  const billed = new Map(offsets.map(({ partition, next }) => [partition, next]))
  let unbilled = 0n
  for (const { partition, first, end } of await log.ranges(TOPICS.interactions)) {
    const next = billed.get(partition) ?? first
    if (next < end) unbilled += end - next
  }
  if (unbilled > 0n) return `billing: ${unbilled} interactions to go`

  const { rows: outbox } = await postgres.query<{ waiting: bigint }>('select count(*) as waiting from outbox')
  if (outbox[0]!.waiting > 0n) return `the outbox: ${outbox[0]!.waiting} events to go`

  const unstored = (await ingestedThrough(log)).reduce((total, { lag }) => total + lag, 0n)
  return unstored > 0n ? `ingest: ${unstored} records to go` : undefined
}
