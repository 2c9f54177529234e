import type { Queryable, Transaction } from '@endcap/platform/postgres'

/** Another consumer has moved this partition on: the effects of this transaction were made on old ground and must not commit. */
export class StaleOffsetError extends Error {
  override readonly name = 'StaleOffsetError'
}

export interface ConsumerPartition {
  readonly consumer: string
  readonly topic: string
  readonly partition: number
}

/** How far a consumer has come. */
export interface ConsumerProgress {
  /** The next offset that it has not yet worked in. */
  readonly next: bigint
  /** The log's own time there, for a consumer that keeps it. */
  readonly watermark: Date | undefined
}

/** How far a consumer has come; undefined before its first move. */
export async function readProgress(
  q: Queryable,
  where: ConsumerPartition,
): Promise<ConsumerProgress | undefined> {
  const { rows } = await q.query<{ next: bigint; watermark: Date | null }>(
    `select next_offset as next, watermark from consumer_offsets
     where consumer = $1 and topic = $2 and partition = $3`,
    [where.consumer, where.topic, where.partition],
  )
  return rows[0] && { next: rows[0].next, watermark: rows[0].watermark ?? undefined }
}

/** The next offset that a consumer has not yet worked in; undefined before its first. */
export async function readOffset(q: Queryable, where: ConsumerPartition): Promise<bigint | undefined> {
  return (await readProgress(q, where))?.next
}

/**
 * Moves a consumer on, in the transaction that holds its effects. `from` is what the transaction was built on: what
 * `readOffset` gave, undefined for none. `watermark` is left as it is when not given. Of two consumers that work in the same records, only one commits.
 *
 * @throws StaleOffsetError when the stored offset is not `from`
 */
export async function advanceOffset(
  tx: Transaction,
  move: ConsumerPartition & {
    readonly from: bigint | undefined
    readonly to: bigint
    readonly now: Date
    readonly watermark?: Date | undefined
  },
): Promise<void> {
  const moved = [move.consumer, move.topic, move.partition, move.to, move.now, move.watermark ?? null]
  const { rowCount } =
    move.from === undefined
      ? await tx.query(
          `insert into consumer_offsets (consumer, topic, partition, next_offset, updated_at, watermark)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (consumer, topic, partition) do nothing`,
          moved,
        )
      : await tx.query(
          `update consumer_offsets set next_offset = $4, updated_at = $5, watermark = coalesce($6, watermark)
           where consumer = $1 and topic = $2 and partition = $3 and next_offset = $7`,
          [...moved, move.from],
        )
  if (rowCount !== 1) {
    throw new StaleOffsetError(
      `${move.consumer} is no longer at ${move.from ?? 'the start'} of ${move.topic}/${move.partition}`,
    )
  }
}
