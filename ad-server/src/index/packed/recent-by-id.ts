import { HashChains, NONE } from './hash-chains.js'
import { textHash } from './names.js'

/** What `RecentById` keeps. */
export interface Identified {
  readonly id: string
  /** A small number of its own while it is kept. `RecentById`'s own, like `usedIn`. */
  place: number
  /** In which generation it was last used. */
  usedIn: number
}

// Finding is synchronous, so that no two lists of ids can use it at once.
let scratch = new Int32Array(256)

/**
 * Keeps the objects that were used most recently, by their ids: at most twice `generation`, and one that was just used is not lost before
 * `generation` others were used.
 */
export class RecentById<T extends Identified> {
  private readonly chains = new HashChains()
  private readonly objects: (T | undefined)[] = []
  private readonly free: number[] = []
  private young: T[] = []
  private old: T[] = []
  private generations = 0

  /** `onLeave`: told of each object that is not kept any more, before its place is given to another. */
  constructor(
    private readonly generation: number,
    private readonly onLeave: (object: T) => void = () => {},
  ) {}

  /** Grows whenever a generation begins: what was got since it last did is of the young one. */
  get turn(): number {
    return this.generations
  }

  get(id: string): T | undefined {
    const { chains, objects } = this
    for (let place = chains.first(textHash(id)); place !== NONE; place = chains.after(place)) {
      const object = objects[place]!
      if (object.id !== id) continue
      if (object.usedIn !== this.generations) this.use(object)
      return object
    }
    return undefined
  }

  /** What `get` gives for each id. Step by step for all, so that the processor waits for the memory of many of them at once. */
  getAll(ids: readonly string[]): (T | undefined)[] {
    const { chains, objects } = this
    const count = ids.length
    if (scratch.length < count) scratch = new Int32Array(count * 2)
    for (let nth = 0; nth < count; nth++) scratch[nth] = textHash(ids[nth]!)
    for (let nth = 0; nth < count; nth++) scratch[nth] = chains.first(scratch[nth]!)
    const found: (T | undefined)[] = []
    for (let nth = 0; nth < count; nth++) {
      const place = scratch[nth]!
      found.push(place === NONE ? undefined : objects[place])
    }
    for (let nth = 0; nth < count; nth++) {
      const object = found[nth]
      if (!object) continue
      if (object.id !== ids[nth]) found[nth] = this.get(ids[nth]!)
      else if (object.usedIn !== this.generations) this.use(object)
    }
    return found
  }

  /** Keeps an object of an id that none is kept of. */
  add(object: T): T {
    const place = this.free.pop() ?? this.objects.length
    object.place = place
    this.objects[place] = object
    this.chains.add(place, textHash(object.id))
    this.use(object)
    return object
  }

  delete(id: string): void {
    const object = this.get(id)
    if (object) this.leave(object)
  }

  private use(object: T): void {
    object.usedIn = this.generations
    if (this.young.length >= this.generation) this.begin()
    object.usedIn = this.generations
    this.young.push(object)
  }

  private begin(): void {
    for (const aged of this.old) {
      if (aged.usedIn !== this.generations && this.objects[aged.place] === aged) this.leave(aged)
    }
    this.old = this.young
    this.young = []
    this.generations++
  }

  private leave(object: T): void {
    this.chains.remove(object.place)
    this.objects[object.place] = undefined
    this.free.push(object.place)
    this.onLeave(object)
  }
}
