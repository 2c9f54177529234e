import { createHmac } from 'node:crypto'

/**
 * Keyed hash under which a customer (or session, or address) is remembered: ids of people are never stored.
 * HMAC-SHA-256 cut to 128 bits, base64url. The same key must be used by every process of one installation.
 */
export function hashIdentity(key: Buffer, kind: 'customer' | 'session' | 'address', id: string): string {
  return createHmac('sha256', key).update(`${kind}:${id}`).digest().subarray(0, 16).toString('base64url')
}
