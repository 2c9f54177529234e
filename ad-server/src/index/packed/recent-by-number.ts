/** What `RecentByNumber` keeps. */
export interface Numbered {
  readonly number: number
  /** In which generation it was last used. `RecentByNumber`'s own. */
  usedIn: number
}

/**
 * `Recent` for objects that are numbered from 0 on: finding one takes no hash, and using it again in the same generation changes nothing.
 * At most twice `generation` objects are kept, and one that was just used is not lost before `generation` others were used.
 */
export class RecentByNumber<T extends Numbered> {
  private readonly objects: (T | undefined)[] = []
  private young: T[] = []
  private old: T[] = []
  private turn = 0

  constructor(private readonly generation: number) {}

  get(number: number): T | undefined {
    const found = this.objects[number]
    if (found !== undefined && found.usedIn !== this.turn) this.use(found)
    return found
  }

  /** Keeps an object in the place of another of its number, or of none. */
  add(object: T): T {
    // Place by place, so that it stays a plain array.
    while (this.objects.length < object.number) this.objects.push(undefined)
    this.objects[object.number] = object
    this.use(object)
    return object
  }

  delete(number: number): void {
    if (number < this.objects.length) this.objects[number] = undefined
  }

  private use(object: T): void {
    object.usedIn = this.turn
    if (this.young.length >= this.generation) this.begin()
    object.usedIn = this.turn
    this.young.push(object)
  }

  private begin(): void {
    for (const aged of this.old) {
      if (aged.usedIn !== this.turn && this.objects[aged.number] === aged)
        this.objects[aged.number] = undefined
    }
    this.old = this.young
    this.young = []
    this.turn++
  }
}
