import type { Clock } from '@endcap/contracts'
import { StateStoreUsageError } from './errors.js'
import { assertInt64, assertTtl, INT64_MAX, INT64_MIN, WINDOW_SLACK_MS } from './limits.js'
import type { StateStore } from './state-store.js'

export interface MemoryStateStoreOptions {
  readonly clock: Clock
  /** How often expired keys are cleared away; they are invisible at once. Default 30 s. */
  readonly sweepMs?: number
}

type Content =
  | { readonly kind: 'text'; value: string }
  | { readonly kind: 'hash'; readonly fields: Map<string, string> }
  | { readonly kind: 'window'; readonly atMsByMember: Map<string, number> }
type ContentOf<K extends Content['kind']> = Extract<Content, { kind: K }>

interface Entry {
  readonly content: Content
  /** Infinity: never. */
  expiresAtMs: number
}

const INTEGER = /^-?\d{1,19}$/

/**
 * The state store of a single process. Its operations are atomic because none of them waits; everything is gone with the
 * process, to be rebuilt from Postgres and the log.
 */
export function createMemoryStateStore({ clock, sweepMs = 30_000 }: MemoryStateStoreOptions): StateStore {
  const entries = new Map<string, Entry>()

  const sweeper = setInterval(() => {
    const now = clock()
    for (const [key, entry] of entries) if (entry.expiresAtMs <= now) entries.delete(key)
  }, sweepMs)
  sweeper.unref()

  function find<K extends Content['kind']>(key: string, kind: K): ContentOf<K> | undefined {
    const entry = entries.get(key)
    if (!entry) return undefined
    if (entry.expiresAtMs <= clock()) {
      entries.delete(key)
      return undefined
    }
    if (entry.content.kind !== kind) {
      throw new StateStoreUsageError(`"${key}" holds a ${entry.content.kind}, not a ${kind}`)
    }
    return entry.content as ContentOf<K>
  }
  function put(key: string, content: Content, ttlMs: number): void {
    entries.set(key, { content, expiresAtMs: ttlMs === 0 ? Number.POSITIVE_INFINITY : clock() + ttlMs })
  }
  function counterOf(key: string): bigint {
    const text = find(key, 'text')?.value ?? '0'
    if (!INTEGER.test(text)) throw new StateStoreUsageError(`"${key}" does not hold an integer`)
    return BigInt(text)
  }
  function setCounter(key: string, value: bigint, ttlMs: number): bigint {
    if (value > INT64_MAX || value < INT64_MIN)
      throw new StateStoreUsageError(`"${key}" would leave the 64 bits`)
    const known = find(key, 'text')
    if (known) known.value = value.toString()
    else put(key, { kind: 'text', value: value.toString() }, ttlMs)
    return value
  }

  return {
    async increment(key, by, ttlMs) {
      assertInt64(by)
      assertTtl(ttlMs)
      return setCounter(key, counterOf(key) + by, ttlMs)
    },
    async incrementWithin(key, by, limit, ttlMs) {
      assertInt64(by, limit)
      assertTtl(ttlMs)
      const next = counterOf(key) + by
      return next > limit ? undefined : setCounter(key, next, ttlMs)
    },
    async getCounter(key) {
      return counterOf(key)
    },

    async get(key) {
      return find(key, 'text')?.value
    },
    async set(key, value, ttlMs) {
      assertTtl(ttlMs)
      put(key, { kind: 'text', value }, ttlMs)
    },
    async setIfAbsent(key, value, ttlMs) {
      assertTtl(ttlMs)
      const entry = entries.get(key)
      if (entry && entry.expiresAtMs > clock()) return false
      put(key, { kind: 'text', value }, ttlMs)
      return true
    },
    async getMany(keys) {
      return keys.map((key) => {
        const entry = entries.get(key)
        return entry?.content.kind === 'text' ? find(key, 'text')?.value : undefined
      })
    },
    async compareAndSet(key, expected, next, ttlMs) {
      assertTtl(ttlMs)
      if (find(key, 'text')?.value !== expected) return false
      put(key, { kind: 'text', value: next }, ttlMs)
      return true
    },
    async delete(key) {
      entries.delete(key)
    },

    async hashSet(key, fields) {
      const added = Object.entries(fields)
      if (added.length === 0) return
      const known = find(key, 'hash')
      if (!known) put(key, { kind: 'hash', fields: new Map(added) }, 0)
      else for (const [field, value] of added) known.fields.set(field, value)
    },
    async hashDelete(key, fields) {
      const known = find(key, 'hash')
      if (!known) return
      for (const field of fields) known.fields.delete(field)
      if (known.fields.size === 0) entries.delete(key)
    },
    async hashGetAll(key) {
      return new Map(find(key, 'hash')?.fields)
    },

    async windowAdd(key, member, atMs, windowMs, limit) {
      const members = find(key, 'window')?.atMsByMember ?? new Map<string, number>()
      for (const [old, sinceMs] of members) if (sinceMs < atMs - windowMs) members.delete(old)
      const allowed = members.has(member) || members.size < limit
      if (allowed && !members.has(member)) members.set(member, atMs)
      if (members.size === 0) entries.delete(key)
      else put(key, { kind: 'window', atMsByMember: members }, windowMs + WINDOW_SLACK_MS)
      return { allowed, count: members.size }
    },
    async windowCount(key, atMs, windowMs) {
      let count = 0
      for (const sinceMs of find(key, 'window')?.atMsByMember.values() ?? [])
        if (sinceMs >= atMs - windowMs) count++
      return count
    },

    async windowsAdmit(keys, member, atMs, windows) {
      const longestMs = Math.max(0, ...windows.map(({ windowMs }) => windowMs))
      const membersAt = (key: string) => find(key, 'window')?.atMsByMember ?? new Map<string, number>()
      const refusing = keys.filter((key) => {
        const members = membersAt(key)
        if (members.has(member)) return false
        const distances = [...members.values()].map((otherMs) => Math.abs(otherMs - atMs))
        return windows.some(
          ({ windowMs, limit }) => distances.filter((distanceMs) => distanceMs <= windowMs).length >= limit,
        )
      })
      if (refusing.length > 0) return refusing
      for (const key of keys) {
        const members = membersAt(key)
        for (const [old, sinceMs] of members) if (sinceMs < atMs - longestMs) members.delete(old)
        if (!members.has(member)) members.set(member, atMs)
        put(key, { kind: 'window', atMsByMember: members }, longestMs + WINDOW_SLACK_MS)
      }
      return []
    },

    async check() {
      // A map in our own memory always answers.
    },
    async close() {
      clearInterval(sweeper)
      entries.clear()
    },
  }
}
