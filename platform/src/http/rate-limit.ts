import type { Clock } from '@endcap/contracts'

export interface RateLimit {
  /** Requests that one key (or, on public routes, one address, see `networkOf`) may make in a window. */
  readonly max: number
  readonly windowMs: number
}

export interface RateLimiter {
  /** Counts one request. @returns 0 when it may pass, else the seconds after which to try again */
  take(who: string): number
}

const SWEEP_EVERY = 10_000

/**
 * Counts in this process only: with n processes behind a balancer, n times as many pass. Each window starts with its
 * first request; ended windows are swept now and then, so memory is bounded by the callers of one window.
 */
export function createRateLimiter({ max, windowMs }: RateLimit, clock: Clock): RateLimiter {
  const windows = new Map<string, { endsAtMs: number; taken: number }>()
  let untilSweep = SWEEP_EVERY

  function sweep(nowMs: number): void {
    untilSweep = SWEEP_EVERY
    for (const [who, window] of windows) if (window.endsAtMs <= nowMs) windows.delete(who)
  }

  return {
    take(who) {
      const nowMs = clock()
      if (--untilSweep <= 0) sweep(nowMs)
      const window = windows.get(who)
      if (!window || window.endsAtMs <= nowMs) {
        windows.set(who, { endsAtMs: nowMs + windowMs, taken: 1 })
        return 0
      }
      if (window.taken < max) {
        window.taken++
        return 0
      }
      return Math.max(1, Math.ceil((window.endsAtMs - nowMs) / 1000))
    },
  }
}
