/**
 * Keeps what was used most recently, in two generations: what is used stands in the young one; when that is full, it becomes the old one, and
 * what was the old one goes. So at most twice `generation` objects are kept, and one that was just used
 * is not lost before `generation` others were.
 */
export class Recent<K, V extends object> {
  private young = new Map<K, V>()
  private old = new Map<K, V>()
  private generations = 0

  constructor(private readonly generation: number) {}

  /** Grows whenever a generation begins: what was got since it last did is in the young one. */
  get turn(): number {
    return this.generations
  }

  get(key: K): V | undefined {
    const found = this.young.get(key)
    if (found !== undefined) return found
    const aged = this.old.get(key)
    if (aged !== undefined) this.add(key, aged)
    return aged
  }

  add(key: K, value: V): V {
    if (this.young.size >= this.generation) {
      this.old = this.young
      this.young = new Map()
      this.generations++
    }
    this.young.set(key, value)
    return value
  }

  delete(key: K): void {
    this.young.delete(key)
    this.old.delete(key)
  }
}
