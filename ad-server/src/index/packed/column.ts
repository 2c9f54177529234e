const PAGE_BITS = 16
const PAGE = 1 << PAGE_BITS
const PAGE_MASK = PAGE - 1
const FIRST_LENGTH = 16

/**
 * A row of 32-bit numbers that grows without being copied: it lies in pages of 65,536, outside the heap of JavaScript. Only
 * the first page begins small and doubles, so that small indexes stay small.
 */
export class Column {
  private readonly pages: Int32Array[] = [new Int32Array(FIRST_LENGTH)]
  private end = 0

  /** One more than the last place that was set; what lies before it and was never set is 0. */
  get length(): number {
    return this.end
  }

  /** `at`: below `length`. */
  get(at: number): number {
    return this.pages[at >>> PAGE_BITS]![at & PAGE_MASK]!
  }

  /** `value`: a whole number from −2^31 to 2^31 − 1. */
  set(at: number, value: number): void {
    if (at >= this.end) this.makeRoom(at)
    this.pages[at >>> PAGE_BITS]![at & PAGE_MASK] = value
  }

  private makeRoom(at: number): void {
    this.end = at + 1
    const last = this.pages.length - 1
    const tail = this.pages[last]!
    const needed = at >>> PAGE_BITS > last ? PAGE : (at & PAGE_MASK) + 1
    if (tail.length < needed) {
      const larger = new Int32Array(Math.min(PAGE, Math.max(tail.length * 2, needed)))
      larger.set(tail)
      this.pages[last] = larger
    }
    while (this.pages.length <= at >>> PAGE_BITS) this.pages.push(new Int32Array(PAGE))
  }
}
