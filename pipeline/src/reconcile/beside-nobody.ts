import { setTimeout as delay } from 'node:timers/promises'
import type { Postgres } from '@endcap/platform/postgres'

/** The leadership under which stores are compared or rebuilt: never both at once. */
export const RECONCILIATION = 'reconciliation'

/** A repair or a comparison goes on and on. */
export class BusyError extends Error {
  override readonly name = 'BusyError'
}

const ASK_AGAIN_MS = 250

/**
 * Does some work once no repair and no other comparison is at work, and keeps them off meanwhile: a repair has half of what it stores
 * gone while it lasts.
 * @throws BusyError when they are still at work after `waitMs`
 */
export async function besideNobody<T>(
  postgres: Postgres,
  waitMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + waitMs
  for (;;) {
    const done = await postgres.withLeadership(RECONCILIATION, async () => ({ result: await work() }))
    if (done) return done.result
    if (performance.now() >= deadline)
      throw new BusyError('a repair or another comparison is at work: try again when it has ended')
    await delay(ASK_AGAIN_MS)
  }
}
