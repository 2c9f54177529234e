/** At most `limit` members in any `windowMs`. */
export interface WindowLimit {
  readonly windowMs: number
  readonly limit: number
}

/**
 * A fast, shared, forgettable view: losing it loses nothing but seconds. Two adapters (in process; Redis with Lua)
 * keep one contract suite: `state-store.suite.ts`. Every operation is atomic: there is no check-then-act across calls.
 * Integers are signed 64 bit in `bigint`. A time to live of 0 means: no expiry.
 */
export interface StateStore {
  /** Adds to a counter and gives its new value; the time to live starts when the counter is created. */
  increment(key: string, by: bigint, ttlMs: number): Promise<bigint>
  /** Adds only when the result stays ≤ limit; undefined (and unchanged) otherwise. */
  incrementWithin(key: string, by: bigint, limit: bigint, ttlMs: number): Promise<bigint | undefined>
  getCounter(key: string): Promise<bigint>

  get(key: string): Promise<string | undefined>
  set(key: string, value: string, ttlMs: number): Promise<void>
  /** True for exactly one of many callers, until the key expires. */
  setIfAbsent(key: string, value: string, ttlMs: number): Promise<boolean>
  /** The values that exist, in the order of the keys (undefined where absent). */
  getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]>
  /** `expected` undefined means: the key must be absent. True when it was replaced. */
  compareAndSet(key: string, expected: string | undefined, next: string, ttlMs: number): Promise<boolean>
  delete(key: string): Promise<void>

  /** A map under one key, e.g. the budget view. */
  hashSet(key: string, fields: Readonly<Record<string, string>>): Promise<void>
  hashDelete(key: string, fields: readonly string[]): Promise<void>
  hashGetAll(key: string): Promise<ReadonlyMap<string, string>>

  /**
   * A window of the last `windowMs`: members older than `atMs − windowMs` are dropped, then `member` is added if fewer than
   * `limit` remain. The same member counts once.
   */
  windowAdd(
    key: string,
    member: string,
    atMs: number,
    windowMs: number,
    limit: number,
  ): Promise<{ allowed: boolean; count: number }>
  windowCount(key: string, atMs: number, windowMs: number): Promise<number>

  /**
   * Admits `member` to all of these keys or to none, in one step: to all when for each key fewer than `limit` other members lie within
   * `windowMs` of `atMs`, for every window. Gives the keys that refuse it; none: it was admitted. The same member counts once, at its first time,
   * and is not refused again.
   */
  windowsAdmit(
    keys: readonly string[],
    member: string,
    atMs: number,
    windows: readonly WindowLimit[],
  ): Promise<readonly string[]>

  /** @throws with the reason when the store cannot answer */
  check(): Promise<void>
  close(): Promise<void>
}
