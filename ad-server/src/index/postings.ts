import { mixBits } from '@endcap/contracts'
import { Column } from './packed/column.js'
import { HashChains, NONE } from './packed/hash-chains.js'

/**
 * What campaigns ask for, and in which cell: the campaigns that ask for one and the same thing hang together in a posting, and
 * the postings that a request looks up together stand under one hash. A million ads have millions of postings, so all is numbers
 * in columns: a posting is a place in some of them, and so is a link, a posting's hold on a campaign.
 */
export class Postings {
  private readonly chains = new HashChains()
  // By posting.
  private readonly cells = new Column()
  private readonly wanted = new Column()
  private readonly firstLinks = new Column()
  private readonly freePostings: number[] = []
  /** By link, LINK numbers each; one line of memory holds most of what a visit reads. NONE ends a row. */
  private readonly links = new Column()
  private freeLink = NONE
  /** By campaign: its first link, + 1. */
  private readonly firstLinksOf = new Column()

  /**
   * Files a campaign: requests that look up `hash` find it there, with the cell and what it wants. The hash must follow from these two. False when it
   * is there already; what a campaign asks for twice must be added before another campaign's.
   */
  add(hash: number, cell: number, wants: number, campaign: number): boolean {
    const posting = this.find(hash, cell, wants) ?? this.create(hash, cell, wants)
    const first = this.firstLinks.get(posting)
    const last = first === NONE ? NONE : this.links.get(first + PREVIOUS)
    if (last !== NONE && this.links.get(last + CAMPAIGN) === campaign) return false
    const link = this.takeLink()
    this.links.set(link + CAMPAIGN, campaign)
    this.links.set(link + POSTING, posting)
    this.links.set(link + NEXT, NONE)
    this.links.set(link + PREVIOUS, last)
    if (last === NONE) this.firstLinks.set(posting, link)
    else this.links.set(last + NEXT, link)
    this.links.set(this.firstLinks.get(posting) + PREVIOUS, link)
    this.links.set(link + SIBLING, this.firstOf(campaign))
    this.firstLinksOf.set(campaign, link + 1)
    return true
  }

  /** Takes a campaign out of all postings that it is in; `leave` is told the cell of each. */
  removeAll(campaign: number, leave: (cell: number) => void): void {
    for (let link = this.firstOf(campaign); link !== NONE; ) {
      leave(this.cells.get(this.links.get(link + POSTING)))
      const sibling = this.links.get(link + SIBLING)
      this.remove(link)
      link = sibling
    }
    if (campaign < this.firstLinksOf.length) this.firstLinksOf.set(campaign, 0)
  }

  /** The first posting under a hash, or NONE; the others by `after`. */
  first(hash: number): number {
    return this.chains.first(hash)
  }

  after(posting: number): number {
    return this.chains.after(posting)
  }

  /** A geo cell, or EVERYWHERE. */
  cellOf(posting: number): number {
    return this.cells.get(posting)
  }

  wantedBy(posting: number): number {
    return this.wanted.get(posting)
  }

  /** The first link of a posting; the others by `nextLink`, until NONE. */
  firstLink(posting: number): number {
    return this.firstLinks.get(posting)
  }

  nextLink(link: number): number {
    return this.links.get(link + NEXT)
  }

  campaignOf(link: number): number {
    return this.links.get(link + CAMPAIGN)
  }

  private find(hash: number, cell: number, wants: number): number | undefined {
    for (let posting = this.chains.first(hash); posting !== NONE; posting = this.chains.after(posting)) {
      if (this.cells.get(posting) === cell && this.wanted.get(posting) === wants) return posting
    }
    return undefined
  }

  private create(hash: number, cell: number, wants: number): number {
    const posting = this.freePostings.pop() ?? this.cells.length
    this.cells.set(posting, cell)
    this.wanted.set(posting, wants)
    this.firstLinks.set(posting, NONE)
    this.chains.add(posting, hash)
    return posting
  }

  private remove(link: number): void {
    const posting = this.links.get(link + POSTING)
    const next = this.links.get(link + NEXT)
    const before = this.links.get(link + PREVIOUS)
    const first = this.firstLinks.get(posting)
    if (link !== first) this.links.set(before + NEXT, next)
    else this.firstLinks.set(posting, next)
    if (next !== NONE) this.links.set(next + PREVIOUS, before)
    else if (link !== first) this.links.set(first + PREVIOUS, before)
    else {
      this.chains.remove(posting)
      this.freePostings.push(posting)
    }
    this.links.set(link + SIBLING, this.freeLink)
    this.freeLink = link
  }

  private takeLink(): number {
    const link = this.freeLink
    if (link === NONE) return this.links.length
    this.freeLink = this.links.get(link + SIBLING)
    return link
  }

  private firstOf(campaign: number): number {
    return campaign < this.firstLinksOf.length ? this.firstLinksOf.get(campaign) - 1 : NONE
  }
}

/** Numbers of a link, by their distance from its place. */
const CAMPAIGN = 0
const NEXT = 1
/** Of the first link of a posting: the last one. */
const PREVIOUS = 2
const POSTING = 3
/** The next link of the same campaign; of a free link the next free one. */
const SIBLING = 4

/** Four whole numbers mixed into 32 bits, under which postings are looked up. */
export function hashOf(cell: number, shelf: number, first: number, second: number): number {
  return mixBits(Math.imul(mixBits(mixBits(cell * 8 + shelf) ^ first), 31) ^ second)
}
