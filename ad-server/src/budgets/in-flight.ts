import type { Micros } from '@endcap/contracts'
import type { Holder } from './accounts.js'

const BUCKET_MS = 1_000
/** Shown, clicked, billed and published by then, or not at all. */
const HOLD_MS = 60_000
const BUCKETS = HOLD_MS / BUCKET_MS

interface Held {
  micros: Micros
  readonly accounts: readonly Holder[]
}

/**
 * Spend that sold slots are expected to cause but that billing has not counted yet: price × pCTR for cpc, one impression's price for
 * cpm. It only keeps a campaign from being sold again when what is left may be gone already; it is never charged.
 *
 * What billing counts is no longer in flight: as a campaign's spend grows, as much is let go, the oldest first, so that nothing
 * counts twice and what stays held is the rate of spending × the time until billing sees it (Little's law). What was not
 * clicked is let go after a minute.
 */
export class InFlightSpend {
  private readonly buckets: Map<Holder, Held>[] = Array.from({ length: BUCKETS }, () => new Map())
  private bucketNow = 0

  /** `accounts`: whose limits it counts against: the campaign's, by which it is settled, and its merchant's wallet. */
  hold(accounts: readonly [Holder, ...Holder[]], micros: Micros, nowMs: number): void {
    this.advance(nowMs)
    if (micros <= 0n) return
    const bucket = this.buckets[this.bucketNow % BUCKETS]!
    const held = bucket.get(accounts[0])
    if (held) held.micros += micros
    else bucket.set(accounts[0], { micros, accounts })
    for (const account of accounts) account.heldMicros += micros
  }

  /**
   * Billing has counted this much more of the campaign's spend. Of it, this process sold as large a part as it holds of all that is in
   * flight, as far as it knows.
   */
  settle(campaign: Holder, countedMicros: Micros): void {
    const { heldMicros, heldElsewhereMicros } = campaign
    if (countedMicros <= 0n || heldMicros <= 0n) return
    let left = (countedMicros * heldMicros) / (heldMicros + heldElsewhereMicros)
    for (let n = this.bucketNow - BUCKETS + 1; n <= this.bucketNow && left > 0n; n++) {
      const held = this.buckets[((n % BUCKETS) + BUCKETS) % BUCKETS]!.get(campaign)
      if (!held) continue
      const settled = held.micros < left ? held.micros : left
      held.micros -= settled
      left -= settled
      for (const account of held.accounts) account.heldMicros -= settled
    }
  }

  /** Lets go what was held long enough: after it, `heldMicros` of every account is that of `nowMs`. */
  advance(nowMs: number): void {
    const target = Math.floor(nowMs / BUCKET_MS)
    if (target <= this.bucketNow) return
    for (let n = Math.max(this.bucketNow + 1, target - BUCKETS + 1); n <= target; n++) {
      const bucket = this.buckets[n % BUCKETS]!
      for (const { micros, accounts } of bucket.values()) {
        for (const account of accounts) account.heldMicros -= micros
      }
      bucket.clear()
    }
    this.bucketNow = target
  }
}

/** What one sold slot is expected to cost, in whole micros. */
export const expectedSpend = (pricing: 'cpc' | 'cpm', priceMicros: Micros, pctr: number): Micros =>
  pricing === 'cpc' ? BigInt(Math.round(Number(priceMicros) * pctr)) : priceMicros / 1000n
