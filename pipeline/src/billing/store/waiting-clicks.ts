import {
  intArray,
  type Queryable,
  type Transaction,
  textArray,
  timestampArray,
} from '@endcap/platform/postgres'
import type { ConsumerPartition } from '@endcap/storage/postgres'
import type { BillableInteraction, Offer, WaitingClick } from '../domain/types.js'

/** As kept: an interaction that nothing made suspicious, its price in digits. */
type StoredClick = Omit<BillableInteraction, 'offer'> & {
  readonly offer: Omit<Offer, 'priceMicros'> & { readonly priceMicros: string }
}

/** At most this many that have waited in vain are judged at a time: a flood of them is worked off batch by batch. */
const MOST_LATE = 10_000

/** The clicks of a partition that wait for these slots' impressions, and those whose deadline the watermark has reached. */
export async function waitingClicks(
  q: Queryable,
  partition: number,
  interactions: readonly BillableInteraction[],
  watermarkMs: number,
): Promise<readonly WaitingClick[]> {
  const { rows } = await q.query<{ deadline: Date; interaction: string }>(
    `select deadline, interaction from waiting_clicks where id in (
       select w.id from unnest($2::text[], $3::int[]) as slot (auction_id, position)
       join waiting_clicks w using (auction_id, position) where w.partition = $1
       union all
       (select id from waiting_clicks where partition = $1 and deadline <= $4 order by deadline, id limit $5))
     order by id`,
    [
      partition,
      textArray(interactions.map(({ slot }) => slot.auctionId)),
      intArray(interactions.map(({ slot }) => slot.position)),
      new Date(watermarkMs),
      MOST_LATE,
    ],
  )
  return rows.map(({ deadline, interaction }) => ({
    interaction: readInteraction(interaction),
    deadlineMs: deadline.getTime(),
  }))
}

/** A partition in which clicks wait whose deadline has passed by some clock. */
export interface OverdueWaits {
  readonly partition: number
  /** The latest of those deadlines. */
  readonly deadlineMs: number
  /** The next record that billing has not yet worked in. */
  readonly next: bigint
}

/** Partitions of a consumer's topic with clicks whose deadline was at an instant or before. */
export async function overdueWaits(
  q: Queryable,
  { consumer, topic }: Omit<ConsumerPartition, 'partition'>,
  instantMs: number,
): Promise<readonly OverdueWaits[]> {
  const { rows } = await q.query<{ partition: number; deadline: Date; next: bigint }>(
    `select partition, max(deadline) as deadline, next_offset as next
     from waiting_clicks join consumer_offsets using (partition)
     where consumer = $1 and topic = $2 and deadline <= $3
     group by partition, next_offset order by partition`,
    [consumer, topic, new Date(instantMs)],
  )
  return rows.map(({ partition, deadline, next }) => ({ partition, deadlineMs: deadline.getTime(), next }))
}

/** Which of these ids are those of clicks that wait, on whatever slot. */
export async function waitingIds(q: Queryable, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await q.query<{ id: string }>(
    'select interaction_id as id from waiting_clicks where interaction_id = any ($1::text[])',
    [textArray(ids)],
  )
  return new Set(rows.map((row) => row.id))
}

function readInteraction(text: string): BillableInteraction {
  const { offer, ...rest } = JSON.parse(text) as StoredClick
  return { ...rest, offer: { ...offer, priceMicros: BigInt(offer.priceMicros) } }
}

export async function addWaitingClicks(
  tx: Transaction,
  partition: number,
  clicks: readonly WaitingClick[],
): Promise<void> {
  if (clicks.length === 0) return
  const interactions = clicks.map(({ interaction }) => interaction)
  await tx.query(
    `insert into waiting_clicks (partition, interaction_id, auction_id, position, deadline, interaction)
     select $1, id, auction_id, position, deadline, interaction
     from unnest($2::text[], $3::text[], $4::int[], $5::timestamptz[], $6::text[]) with ordinality
       as click (id, auction_id, position, deadline, interaction, place)
     order by place`,
    [
      partition,
      textArray(interactions.map(({ interactionId }) => interactionId)),
      textArray(interactions.map(({ slot }) => slot.auctionId)),
      intArray(interactions.map(({ slot }) => slot.position)),
      timestampArray(clicks.map(({ deadlineMs }) => deadlineMs)),
      textArray(interactions.map((interaction) => JSON.stringify(interaction, printBigints))),
    ],
  )
}

export async function removeWaitingClicks(tx: Transaction, clicks: readonly WaitingClick[]): Promise<void> {
  if (clicks.length === 0) return
  await tx.query('delete from waiting_clicks where interaction_id = any ($1)', [
    clicks.map(({ interaction }) => interaction.interactionId),
  ])
}

const printBigints = (_key: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)
