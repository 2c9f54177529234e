import { createHash } from 'node:crypto'
import type { Clock, IdSource, Scope } from '@endcap/contracts'
import type { Caller, KeyVerifier } from '@endcap/platform/http'
import type { Postgres, Queryable, Transaction } from '@endcap/platform/postgres'
import { appendChanges } from './outbox.js'

export interface NewApiKey {
  /** Shown once, to its owner; only the hash is stored. */
  readonly key: string
  /** SHA-256, hex. */
  readonly hash: string
}

const KEY_BYTES = 24
const KEY_SHAPE = /^ek_[A-Za-z0-9_-]{16,128}$/

/** A key of 192 random bits, and what is stored of it. So much randomness needs no salt and no slow hash. */
export function newApiKey(randomBytes: (size: number) => Buffer): NewApiKey {
  const key = `ek_${randomBytes(KEY_BYTES).toString('base64url')}`
  return { key, hash: hashApiKey(key) }
}

/** SHA-256 of a key, hex. */
export const hashApiKey = (key: string): string => createHash('sha256').update(key).digest('hex')

export interface ApiKeyRow {
  readonly id: string
  readonly name: string
  readonly hash: string
  readonly scopes: readonly string[]
  readonly createdAt: Date
  readonly revokedAt: Date | null
}

export interface ChangeContext {
  readonly ids: IdSource
  readonly now: Date
  /** The service that makes the change, as the event's `source`. */
  readonly source: string
}

/** Stores a key and puts it on the change feed, from which the ad-servers learn it. Gives its row. */
export async function insertApiKey(
  tx: Transaction,
  key: {
    readonly id: string
    readonly name: string
    readonly hash: string
    readonly scopes: readonly Scope[]
  },
  context: ChangeContext,
): Promise<ApiKeyRow> {
  const { rows } = await tx.query<ApiKeyRow>(
    `insert into api_keys (id, name, hash, scopes, created_at) values ($1, $2, $3, $4, $5) returning ${COLUMNS}`,
    [key.id, key.name, key.hash, key.scopes, context.now],
  )
  await announce(tx, rows[0]!, context)
  return rows[0]!
}

/** Revokes a key, also on the change feed. Undefined when there is none of this id; revoking twice changes nothing. */
export async function revokeApiKey(
  tx: Transaction,
  id: string,
  context: ChangeContext,
): Promise<ApiKeyRow | undefined> {
  const { rows: revoked } = await tx.query<ApiKeyRow>(
    `update api_keys set revoked_at = $2 where id = $1 and revoked_at is null returning ${COLUMNS}`,
    [id, context.now],
  )
  if (revoked[0]) {
    await announce(tx, revoked[0], context)
    return revoked[0]
  }
  const { rows } = await tx.query<ApiKeyRow>(`select ${COLUMNS} from api_keys where id = $1`, [id])
  return rows[0]
}

/** All keys, oldest first. */
export async function listApiKeys(q: Queryable): Promise<readonly ApiKeyRow[]> {
  return (await q.query<ApiKeyRow>(`select ${COLUMNS} from api_keys order by created_at, id`)).rows
}

const COLUMNS = 'id, name, hash, scopes, created_at as "createdAt", revoked_at as "revokedAt"'

const announce = (tx: Transaction, row: ApiKeyRow, context: ChangeContext): Promise<void> =>
  appendChanges(
    tx,
    [
      {
        kind: 'api_key',
        id: row.id,
        state: { id: row.id, hash: row.hash, scopes: [...row.scopes], revoked: row.revokedAt !== null },
      },
    ],
    context,
  )

/** The caller that a key's scopes make. */
function callerOfKey(keyId: string, scopes: readonly string[]): Caller {
  const isOperator = scopes.includes('operator')
  const merchantIds = new Set(
    scopes.filter((scope) => scope.startsWith('merchant:')).map((scope) => scope.slice('merchant:'.length)),
  )
  return {
    keyId,
    scopes,
    isOperator,
    merchantIds,
    mayActFor: (merchantId) => isOperator || merchantIds.has(merchantId),
  }
}

const CACHE_MS = 5_000
const CACHE_SIZE = 10_000

/**
 * Finds callers by key. Answers, also "unknown", are kept for 5 s: a revoked key works that much longer at most.
 * Keys are looked up by their hash, so the time an answer takes says nothing about how much of a key was right.
 */
export function createKeyVerifier(postgres: Queryable | Postgres, clock: Clock): KeyVerifier {
  const cache = new Map<string, { readonly untilMs: number; readonly caller: Promise<Caller | undefined> }>()

  async function lookUp(hash: string): Promise<Caller | undefined> {
    const { rows } = await postgres.query<{ id: string; scopes: string[] }>(
      'select id, scopes from api_keys where hash = $1 and revoked_at is null',
      [hash],
    )
    return rows[0] && callerOfKey(rows[0].id, rows[0].scopes)
  }

  return function verifyKey(key) {
    if (!KEY_SHAPE.test(key)) return undefined
    const hash = hashApiKey(key)
    const known = cache.get(hash)
    if (known && known.untilMs > clock()) return known.caller
    cache.delete(hash)
    // The oldest goes first: guesses push out each other long before they fill the memory.
    if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value!)
    const caller = lookUp(hash)
    const entry = { untilMs: clock() + CACHE_MS, caller }
    cache.set(hash, entry)
    // A failed look-up is no answer.
    caller.catch(() => {
      if (cache.get(hash) === entry) cache.delete(hash)
    })
    return caller
  }
}
