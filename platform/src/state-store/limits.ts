import { StateStoreUsageError } from './errors.js'

export const INT64_MAX = 2n ** 63n - 1n
export const INT64_MIN = -(2n ** 63n)

/**
 * A window outlives its last change by its own length and this much more, for clocks that differ: the instants of its
 * members are the caller's, its expiry is the store's.
 */
export const WINDOW_SLACK_MS = 60_000

export function assertInt64(...values: readonly bigint[]): void {
  for (const value of values) {
    if (value > INT64_MAX || value < INT64_MIN)
      throw new StateStoreUsageError(`${value} does not fit in 64 bits`)
  }
}

export function assertTtl(ttlMs: number): void {
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 0) {
    throw new StateStoreUsageError(`a time to live of ${ttlMs} ms is not a whole number from 0`)
  }
}
