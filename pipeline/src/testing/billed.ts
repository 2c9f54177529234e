import { type InteractionEvent, type InteractionTopicEvent, type SlotToken, TOPICS } from '@endcap/contracts'
import type { EventLog, LogRecord } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { ledgerSums, walletsThatDisagree } from '@endcap/storage/postgres'
import { expect } from 'vitest'
import { interactionOf, recordOf, slotToken, until } from './marketplace.js'

/** An impression of a slot and a click on it a second later. */
export function impressionAndClick(
  slot: string,
  token: Partial<SlotToken> & { readonly issuedAtMs: number },
): [InteractionEvent, InteractionEvent] {
  const sold = slotToken({ auctionId: slot, ...token })
  return [
    interactionOf(`i-${slot}`, 'impression', sold.issuedAtMs + 1000, sold),
    interactionOf(`c-${slot}`, 'click', sold.issuedAtMs + 2000, sold),
  ]
}

/** Records of one partition, as the log would give them, from an offset on. */
export const recordsOf = (events: readonly InteractionTopicEvent[], from = 0): LogRecord[] =>
  events.map((event, index) => ({
    ...recordOf(event),
    offset: BigInt(from + index),
    appendedAtMs: Date.parse(event.receivedAt),
    headers: {},
  }))

/** What billing is handed of a partition that nobody takes from it. */
export const batchOf = (records: readonly LogRecord[], partition = 0) => ({
  topic: TOPICS.interactions,
  partition,
  records,
  isStale: () => false,
})

/** Resolves when billing has passed every interaction of the log. */
export const allBilled = (log: EventLog, postgres: Postgres, deadlineMs?: number): Promise<void> =>
  until(
    async () => {
      const { rows } = await postgres.query<{ partition: number; next: bigint }>(
        'select partition, next_offset as next from consumer_offsets',
      )
      const next = new Map(rows.map((row) => [row.partition, row.next]))
      return (await log.ranges(TOPICS.interactions)).every(
        ({ partition, end }) => (next.get(partition) ?? 0n) === end,
      )
    },
    'billing has passed every interaction',
    deadlineMs,
  )

/** A wallet's balance in micros. */
export const balanceOf = async (postgres: Postgres, merchantId: string): Promise<bigint> =>
  (
    await postgres.query<{ balance: bigint }>(
      'select balance_micros as balance from ledger_accounts where id = $1',
      [`wallet:${merchantId}`],
    )
  ).rows[0]!.balance

/**
 * What must hold after anything at all, while nobody has given charges back: the ledger sums to zero, wallets are their entries, and charges,
 * revenue, counters of every kind of period and the events in the outbox (unless a relay has taken them) agree.
 */
export async function expectBooksToAgree(postgres: Postgres, relayed = false): Promise<void> {
  for (const { sumMicros } of await ledgerSums(postgres)) expect(sumMicros).toBe(0n)
  expect(await walletsThatDisagree(postgres)).toEqual([])
  const { rows } = await postgres.query<Record<string, string>>(
    `select (select coalesce(sum(amount_micros), 0) from charges)::text as charged,
       (select coalesce(sum(amount_micros), 0) from ledger_entries where account_id like 'revenue:%')::text as revenue,
       (select coalesce(sum(spent_micros), 0) from spend_counters where period = 'total')::text as total,
       (select coalesce(sum(spent_micros), 0) from spend_counters where period like '____-%')::text as days,
       (select coalesce(sum(spent_micros), 0) from spend_counters where period like 'week:%')::text as weeks,
       (select coalesce(sum(spent_micros), 0) from spend_counters where period like 'month:%')::text as months,
       (select count(*) from outbox where value like '%"type":"charge"%')::text as outbox, (select count(*) from charges)::text as rows`,
  )
  const { charged, outbox, rows: verdicts, ...sums } = rows[0]!
  for (const [name, sum] of Object.entries(sums)) expect(sum, name).toBe(charged)
  if (!relayed) expect(outbox).toBe(verdicts)
}
