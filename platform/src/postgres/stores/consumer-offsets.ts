import type { Queryable, Transaction } from '../postgres.js'

/** Another consumer has moved this partition on: the effects of this transaction were made on old ground and must not commit. */
export class StaleOffsetError extends Error {
  override readonly name = 'StaleOffsetError'
}

export interface ConsumerPartition {
  readonly consumer: string
  readonly topic: string
  readonly partition: number
}

/** The next offset that a consumer has not yet worked in; undefined before its first. */
export async function readOffset(q: Queryable, where: ConsumerPartition): Promise<bigint | undefined> {
  const { rows } = await q.query<{ next: bigint }>(
    'select next_offset as next from consumer_offsets where consumer = $1 and topic = $2 and partition = $3',
    [where.consumer, where.topic, where.partition],
  )
  return rows[0]?.next
}

/**
 * Moves a consumer on, in the transaction that holds its effects. `from` is what the transaction was built on: what
 * `readOffset` gave, undefined for none. Of two consumers that work in the same records, only one commits.
 *
 * @throws StaleOffsetError when the stored offset is not `from`
 */
export async function advanceOffset(
  tx: Transaction,
  move: ConsumerPartition & { readonly from: bigint | undefined; readonly to: bigint; readonly now: Date },
): Promise<void> {
  const key = [move.consumer, move.topic, move.partition]
  const { rowCount } =
    move.from === undefined
      ? await tx.query(
          `insert into consumer_offsets (consumer, topic, partition, next_offset, updated_at) values ($1, $2, $3, $4, $5)
           on conflict (consumer, topic, partition) do nothing`,
          [...key, move.to, move.now],
        )
      : await tx.query(
          `update consumer_offsets set next_offset = $4, updated_at = $5
           where consumer = $1 and topic = $2 and partition = $3 and next_offset = $6`,
          [...key, move.to, move.now, move.from],
        )
  if (rowCount !== 1) {
    throw new StaleOffsetError(
      `${move.consumer} is no longer at ${move.from ?? 'the start'} of ${move.topic}/${move.partition}`,
    )
  }
}
