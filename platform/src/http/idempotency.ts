import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { invalid } from './validation.js'

const MAX_DEPTH = 100

/**
 * The Idempotency-Key of a request; undefined without one.
 * @throws EndcapError validation_failed for anything but 1–255 printable ASCII characters
 */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key === 'string' && /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key)) return key
  throw invalid([{ path: 'Idempotency-Key', message: 'must be 1-255 printable ASCII characters' }])
}

/** Within what an Idempotency-Key is unique: who calls, and what. */
export const idempotencyScopeOf = (request: FastifyRequest): string =>
  `${request.caller.keyId} ${request.method} ${request.url.split('?', 1)[0]}`

/**
 * SHA-256 (hex) of a JSON value, the same for the same members in any order.
 * @throws EndcapError validation_failed for a value nested deeper than any of ours
 */
export const bodyHash = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value, 0)).digest('hex')

function canonicalJson(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH)
    throw invalid([{ path: '', message: `must not be nested deeper than ${MAX_DEPTH} levels` }])
  if (typeof value === 'bigint') return `"${value}"`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member, depth + 1)}`).join(',')}}`
}
