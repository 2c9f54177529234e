import { type Clock, EndcapError } from '@endcap/contracts'
import type { Postgres, Queryable, Transaction } from '@endcap/platform/postgres'

export interface IdempotentRequest {
  /** Who calls and what: key id, method and path. */
  readonly scope: string
  /** The Idempotency-Key of the call. */
  readonly key: string
  /** Of the body as understood, so that another order of fields is the same body. */
  readonly bodyHash: string
}

export interface StoredAnswer {
  readonly status: number
  /** JSON. */
  readonly response: unknown
}

/**
 * Does creating work once per key. The answer is stored in the transaction of the work, so they are kept or lost together.
 * The same key and body again: the first answer. At the same time: the second call waits for the first and gets its answer.
 * Work that throws leaves no trace: the call may be tried again under the same key.
 *
 * @throws EndcapError `idempotency_conflict` when the key was used with another body
 */
export function withIdempotency(
  { postgres, clock }: { readonly postgres: Postgres; readonly clock: Clock },
  request: IdempotentRequest,
  work: (tx: Transaction) => Promise<StoredAnswer>,
): Promise<StoredAnswer & { readonly replayed: boolean }> {
  return postgres.transaction(async (tx) => {
    // Waits here while another transaction holds the same key; finds nothing to insert if that one commits.
    const { rowCount } = await tx.query(
      `insert into idempotency_keys (scope, key, body_hash, created_at) values ($1, $2, $3, $4)
       on conflict (scope, key) do nothing`,
      [request.scope, request.key, request.bodyHash, new Date(clock())],
    )
    if (rowCount === 0) return { ...(await storedAnswer(tx, request)), replayed: true }
    const answer = await work(tx)
    await tx.query('update idempotency_keys set status = $3, response = $4 where scope = $1 and key = $2', [
      request.scope,
      request.key,
      answer.status,
      JSON.stringify(answer.response),
    ])
    return { ...answer, replayed: false }
  })
}

async function storedAnswer(tx: Transaction, request: IdempotentRequest): Promise<StoredAnswer> {
  const { rows } = await tx.query<{ bodyHash: string; status: number; response: unknown }>(
    'select body_hash as "bodyHash", status, response from idempotency_keys where scope = $1 and key = $2',
    [request.scope, request.key],
  )
  const stored = rows[0]
  // A purge between the two statements: the caller may simply try again.
  if (!stored)
    throw new EndcapError('idempotency_in_progress', 'the first call with this key has not ended yet')
  if (stored.bodyHash !== request.bodyHash) {
    throw new EndcapError('idempotency_conflict', 'this Idempotency-Key was used before with another body')
  }
  return { status: stored.status, response: stored.response }
}

/** Forgets answers older than `before`. Gives how many. */
export async function purgeIdempotencyKeys(q: Queryable, before: Date): Promise<number> {
  return (await q.query('delete from idempotency_keys where created_at < $1', [before])).rowCount
}
