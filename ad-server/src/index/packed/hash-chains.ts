import { Column } from './column.js'

/** No entry: the end of a chain. */
export const NONE = -1

const FIRST_BUCKETS = 8

/**
 * A hash table of numbered entries that keeps nothing of them but the chain they are in. It grows one bucket at a time
 * [Litwin 1980, linear hashing], so that no request waits while millions of entries are moved.
 */
export class HashChains {
  /** By bucket: its first entry + 1, so that a bucket never touched is empty. */
  private readonly heads = new Column()
  /** By entry: the next one of its bucket + 1. */
  private readonly nexts = new Column()
  /** By entry. */
  private readonly hashes = new Column()
  private entries = 0
  private buckets = FIRST_BUCKETS
  /** The buckets of the round: a power of two; those below `buckets − round` are split already. */
  private round = FIRST_BUCKETS

  /** Files an entry that is not filed; `hash`: any 32 bits. */
  add(entry: number, hash: number): void {
    this.hashes.set(entry, hash | 0)
    this.push(this.bucketOf(hash), entry)
    this.entries++
    if (this.entries > this.buckets) this.split()
  }

  /** Takes out an entry that is filed. */
  remove(entry: number): void {
    const bucket = this.bucketOf(this.hashes.get(entry))
    const after = this.nexts.get(entry)
    let before = this.heads.get(bucket) - 1
    if (before === entry) this.heads.set(bucket, after)
    else {
      while (this.nexts.get(before) - 1 !== entry) before = this.nexts.get(before) - 1
      this.nexts.set(before, after)
    }
    this.entries--
  }

  /** The first entry with this hash, or NONE; the others by `after`. */
  first(hash: number): number {
    const bucket = this.bucketOf(hash)
    return this.seek(this.heads.get(bucket), hash | 0)
  }

  /** The next entry with the same hash, or NONE. */
  after(entry: number): number {
    return this.seek(this.nexts.get(entry), this.hashes.get(entry))
  }

  private seek(link: number, hash: number): number {
    let next = link
    while (next !== 0) {
      if (this.hashes.get(next - 1) === hash) return next - 1
      next = this.nexts.get(next - 1)
    }
    return NONE
  }

  private bucketOf(hash: number): number {
    const bucket = hash & (this.round * 2 - 1)
    return bucket < this.buckets ? bucket : hash & (this.round - 1)
  }

  private push(bucket: number, entry: number): void {
    this.nexts.set(entry, this.heads.get(bucket))
    this.heads.set(bucket, entry + 1)
  }

  /** One bucket more: it takes its part of the bucket that is next in the round. */
  private split(): void {
    const from = this.buckets - this.round
    let next = this.heads.get(from)
    this.buckets++
    this.heads.set(from, 0)
    this.heads.set(this.buckets - 1, 0)
    while (next !== 0) {
      const entry = next - 1
      next = this.nexts.get(entry)
      this.push(this.bucketOf(this.hashes.get(entry)), entry)
    }
    if (this.buckets === this.round * 2) this.round = this.buckets
  }
}
