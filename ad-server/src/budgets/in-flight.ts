import type { Micros } from '@endcap/contracts'
import type { Holder } from './accounts.js'

const BUCKET_MS = 1_000
const BUCKETS = 10

/**
 * Spend that sold slots are expected to cause but that billing has not counted yet: price × pCTR for cpc, one impression's price
 * for cpm, held for ten seconds (shown, clicked, billed and published by then, or not at all). It only keeps a campaign from being sold
 * again when what is left may be gone already; it is never charged.
 */
export class InFlightSpend {
  private readonly buckets: Map<Holder, Micros>[] = Array.from({ length: BUCKETS }, () => new Map())
  private bucketNow = 0

  /** `accounts`: whose limits it counts against, such as the campaign's and its merchant's wallet. */
  hold(accounts: readonly Holder[], micros: Micros, nowMs: number): void {
    this.advance(nowMs)
    if (micros <= 0n) return
    const bucket = this.buckets[this.bucketNow % BUCKETS]!
    for (const account of accounts) {
      bucket.set(account, (bucket.get(account) ?? 0n) + micros)
      account.heldMicros += micros
    }
  }

  /** Lets go what was held long enough: after it, `heldMicros` of every account is that of `nowMs`. */
  advance(nowMs: number): void {
    const target = Math.floor(nowMs / BUCKET_MS)
    if (target <= this.bucketNow) return
    for (let n = Math.max(this.bucketNow + 1, target - BUCKETS + 1); n <= target; n++) {
      const bucket = this.buckets[n % BUCKETS]!
      for (const [account, micros] of bucket) account.heldMicros -= micros
      bucket.clear()
    }
    this.bucketNow = target
  }
}

/** What one sold slot is expected to cost, in whole micros. */
export const expectedSpend = (pricing: 'cpc' | 'cpm', priceMicros: Micros, pctr: number): Micros =>
  pricing === 'cpc' ? BigInt(Math.round(Number(priceMicros) * pctr)) : priceMicros / 1000n
