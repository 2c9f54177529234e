/**
 * Numbers for values that many entities have alike, each kept in memory once: of a million ads most have one of a few hundred lists of
 * categories, and the same hours, placements and devices as others. Equal is what prints the same JSON.
 */
export class Interned {
  private readonly numbers = new Map<string, number>()
  private readonly values: unknown[] = []

  take(value: unknown): number {
    const key = JSON.stringify(value)
    let number = this.numbers.get(key)
    if (number === undefined) {
      number = this.values.length
      this.numbers.set(key, number)
      this.values.push(value)
    }
    return number
  }

  /** The first of the equal values that `take` gave this number. */
  at<T>(number: number): T {
    return this.values[number] as T
  }
}
