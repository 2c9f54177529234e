import { hashIdentity } from '@endcap/contracts'

export type IdentityHasher = (kind: 'customer' | 'session', id: string) => string

const KEPT = 10_000

/** `hashIdentity` that remembers the last ids: whoever searches, searches more than once. */
export function createIdentityHasher(key: Buffer): IdentityHasher {
  const known = { customer: new Map<string, string>(), session: new Map<string, string>() }
  return (kind, id) => {
    const hashes = known[kind]
    let hash = hashes.get(id)
    if (hash === undefined) {
      hash = hashIdentity(key, kind, id)
      if (hashes.size >= KEPT) hashes.clear()
      hashes.set(id, hash)
    }
    return hash
  }
}
