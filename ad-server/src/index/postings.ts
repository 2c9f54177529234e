/** What a posting is filed under, in all kinds of targeting alike: integers that only have to differ where the meaning differs. */
export interface Place {
  /** A geo cell, or EVERYWHERE. */
  readonly cell: number
  readonly kind: PlaceKind
  /** Of a keyword its anchor, of a category or item its one number. */
  readonly first: number
  readonly second: number
}

export type PlaceKind = 0 | 1 | 2 | 3 | 4

/** What stands for a keyword in a posting; categories, items and the lack of targeting have none. */
export interface Labelled {
  readonly text: string
  readonly match: string
}

/** The campaigns (by slot number) that ask for one and the same thing at one place. */
export class Posting<L extends Labelled = Labelled> {
  readonly campaigns: number[]
  /** The next posting filed under the same hash. */
  next: Posting<L> | undefined = undefined

  constructor(
    readonly cell: number,
    readonly kind: PlaceKind,
    readonly first: number,
    readonly second: number,
    readonly label: L | undefined,
    campaign: number,
  ) {
    this.campaigns = [campaign]
  }
}

/**
 * All postings of the index in one table. A million ads have millions of postings, so there is no table within the table: what is filed
 * under one hash hangs together in a list, and whoever walks through it compares the place.
 */
export class Postings<L extends Labelled> {
  private readonly byHash = new Map<number, Posting<L>>()

  add(place: Place, label: L | undefined, campaign: number): Posting<L> {
    const { cell, kind, first, second } = place
    const hash = hashOf(cell, kind, first, second)
    const head = this.byHash.get(hash)
    for (let posting = head; posting; posting = posting.next) {
      if (isAt(posting, cell, kind, first, second) && isSame(posting.label, label)) {
        // What a campaign asks for twice is filed right after itself.
        if (posting.campaigns.at(-1) !== campaign) posting.campaigns.push(campaign)
        return posting
      }
    }
    const posting = new Posting(cell, kind, first, second, label, campaign)
    posting.next = head
    this.byHash.set(hash, posting)
    return posting
  }

  remove(posting: Posting<L>, campaign: number): void {
    const at = posting.campaigns.indexOf(campaign)
    if (at >= 0) posting.campaigns.splice(at, 1)
    if (posting.campaigns.length > 0) return
    const hash = hashOf(posting.cell, posting.kind, posting.first, posting.second)
    const head = this.byHash.get(hash)
    if (head === posting) {
      if (posting.next) this.byHash.set(hash, posting.next)
      else this.byHash.delete(hash)
      return
    }
    for (let before = head; before; before = before.next) {
      if (before.next === posting) before.next = posting.next
    }
  }

  /** The first posting filed under the hash of a place; those after it by `next`, of which some may be of another place. */
  listAt(cell: number, kind: PlaceKind, first: number, second: number): Posting<L> | undefined {
    return this.byHash.get(hashOf(cell, kind, first, second))
  }
}

/** Whether a posting is filed at just this place. */
export const isAt = (
  posting: Posting,
  cell: number,
  kind: PlaceKind,
  first: number,
  second: number,
): boolean =>
  posting.cell === cell && posting.kind === kind && posting.first === first && posting.second === second

const isSame = (a: Labelled | undefined, b: Labelled | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.text === b.text && a.match === b.match)

/** Four integers mixed into 32 bits (the finaliser of MurmurHash3 after each), so that a table of small keys holds them. */
function hashOf(cell: number, kind: number, first: number, second: number): number {
  let hash = mix(cell * 8 + kind)
  hash = mix(hash ^ first)
  return mix(Math.imul(hash, 31) ^ second)
}

function mix(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
