import type { Micros } from '@endcap/contracts'

const BUCKET_MS = 1_000
const BUCKETS = 10

/**
 * Spend that sold slots are expected to cause but that billing has not counted yet: price × pCTR for cpc, one impression's price
 * for cpm, held for ten seconds (shown, clicked, billed and published by then, or not at all). It only keeps a campaign from being sold
 * again when what is left may be gone already; it is never charged.
 */
export class InFlightSpend {
  private readonly buckets: Map<string, Micros>[] = Array.from({ length: BUCKETS }, () => new Map())
  private readonly totals = new Map<string, Micros>()
  private bucketNow = 0

  /** `keys`: whose limits it counts against, such as the campaign's and the merchant's ids. */
  hold(keys: readonly string[], micros: Micros, nowMs: number): void {
    this.advance(nowMs)
    if (micros <= 0n) return
    const bucket = this.buckets[this.bucketNow % BUCKETS]!
    for (const key of keys) {
      bucket.set(key, (bucket.get(key) ?? 0n) + micros)
      this.totals.set(key, (this.totals.get(key) ?? 0n) + micros)
    }
  }

  held(key: string, nowMs: number): Micros {
    this.advance(nowMs)
    return this.totals.get(key) ?? 0n
  }

  private advance(nowMs: number): void {
    const target = Math.floor(nowMs / BUCKET_MS)
    if (target <= this.bucketNow) return
    for (let n = Math.max(this.bucketNow + 1, target - BUCKETS + 1); n <= target; n++) {
      const bucket = this.buckets[n % BUCKETS]!
      for (const [key, micros] of bucket) {
        const rest = (this.totals.get(key) ?? 0n) - micros
        if (rest > 0n) this.totals.set(key, rest)
        else this.totals.delete(key)
      }
      bucket.clear()
    }
    this.bucketNow = target
  }
}

/** What one sold slot is expected to cost, in whole micros. */
export const expectedSpend = (pricing: 'cpc' | 'cpm', priceMicros: Micros, pctr: number): Micros =>
  pricing === 'cpc' ? BigInt(Math.round(Number(priceMicros) * pctr)) : priceMicros / 1000n
