/**
 * Small numbers for names: a term, category or item that any campaign uses has one for as long as the process lives, so that postings
 * hold and compare numbers instead of texts.
 */
export class Names {
  private readonly numbers = new Map<string, number>()

  /** undefined: no campaign ever used it, so nothing can be filed under it. */
  numberOf(name: string): number | undefined {
    return this.numbers.get(name)
  }

  /** Gives the name a number when it has none. */
  take(name: string): number {
    let number = this.numbers.get(name)
    if (number === undefined) {
      number = this.numbers.size
      this.numbers.set(name, number)
    }
    return number
  }

  get size(): number {
    return this.numbers.size
  }
}
