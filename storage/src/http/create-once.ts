import type { Clock } from '@endcap/contracts'
import { bodyHash, idempotencyKeyOf, idempotencyScopeOf } from '@endcap/platform/http'
import type { Postgres, Transaction } from '@endcap/platform/postgres'
import type { FastifyRequest } from 'fastify'
import { withIdempotency } from '../postgres/index.js'

/**
 * Runs a creating call in one transaction. With an `Idempotency-Key` a repetition of the call gets the first answer again, and
 * another body under the same key is refused with 409; keys of different callers and addresses never meet.
 */
export async function createOnce<T>(
  deps: { readonly postgres: Postgres; readonly clock: Clock },
  request: FastifyRequest,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const key = idempotencyKeyOf(request)
  if (key === undefined) return deps.postgres.transaction(work)
  const answer = await withIdempotency(
    deps,
    { scope: idempotencyScopeOf(request), key, bodyHash: bodyHash(request.body) },
    async (tx) => ({ status: 201, response: await work(tx) }),
  )
  // What `work` answers is JSON, so what was stored of it is the same again.
  return answer.response as T
}
