import { createHash } from 'node:crypto'
import { type Caller, callerOf, type KeyVerifier } from '@endcap/platform/http'
import type { AdIndex } from './ad-index.js'

const CALLERS_KEPT = 10_000

/**
 * Verifies API keys against the index, so that serving needs no database. A revoked key stops working as soon as the change
 * feed says so. Unknown keys are looked up by hash, so how long an answer takes tells nothing about a key.
 */
export function createIndexKeyVerifier(index: AdIndex): KeyVerifier {
  const callers = new WeakMap<object, Caller>()
  const hashes = new Map<string, string>()
  return (key) => {
    let hash = hashes.get(key)
    if (hash === undefined) hash = createHash('sha256').update(key).digest('hex')
    const state = index.keyByHash(hash)
    if (!state || state.revoked) {
      hashes.delete(key)
      return undefined
    }
    if (hashes.size >= CALLERS_KEPT) hashes.clear()
    hashes.set(key, hash)
    let caller = callers.get(state)
    if (!caller) {
      caller = callerOf(state.id, state.scopes)
      callers.set(state, caller)
    }
    return caller
  }
}
