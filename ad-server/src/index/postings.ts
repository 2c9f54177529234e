import type { MatchType } from '@endcap/contracts'
import type { TermRun } from './term-run.js'

/** How a campaign asks for requests: by a keyword of one of the match types, by category, by item, or for every request. */
export type PostingKind = MatchType | 'category' | 'item' | 'anything'

/** The campaigns (by slot number) that ask for one and the same thing in one cell. */
export class Posting {
  /** A single one is kept bare: most keywords are of one campaign only, and there are millions of them. */
  private campaigns: number | number[]
  /** The next posting filed under the same hash. */
  next: Posting | undefined = undefined

  constructor(
    readonly hash: number,
    /** A geo cell, or EVERYWHERE. */
    readonly cell: number,
    readonly kind: PostingKind,
    /** Of a keyword its terms, of a category or item its one number. */
    readonly run: TermRun,
    /** The keyword as the merchant wrote it; '' for what is none. */
    readonly text: string,
    campaign: number,
  ) {
    this.campaigns = campaign
  }

  /** Of a keyword. */
  get match(): MatchType {
    return this.kind as MatchType
  }

  get isEmpty(): boolean {
    return typeof this.campaigns === 'object' && this.campaigns.length === 0
  }

  add(campaign: number): void {
    if (typeof this.campaigns === 'number') {
      if (this.campaigns !== campaign) this.campaigns = [this.campaigns, campaign]
    } else if (this.campaigns.at(-1) !== campaign) {
      // What a campaign asks for twice is added right after itself.
      this.campaigns.push(campaign)
    }
  }

  remove(campaign: number): void {
    if (typeof this.campaigns === 'number') {
      if (this.campaigns === campaign) this.campaigns = []
      return
    }
    const at = this.campaigns.indexOf(campaign)
    if (at >= 0) this.campaigns.splice(at, 1)
  }

  visit(visitor: (campaign: number, keyword: string) => void): void {
    if (typeof this.campaigns === 'number') visitor(this.campaigns, this.text)
    else for (const campaign of this.campaigns) visitor(campaign, this.text)
  }
}

/**
 * All postings of the index in one table. A million ads have millions of postings, so there is no table within the table: what is filed
 * under one hash hangs together in a list, in which postings of other places may stand too.
 */
export class Postings {
  private readonly byHash = new Map<number, Posting>()

  /** Files a campaign under a hash, which must follow from the other arguments but the campaign. */
  add(hash: number, cell: number, kind: PostingKind, run: TermRun, text: string, campaign: number): Posting {
    const head = this.byHash.get(hash)
    for (let posting = head; posting; posting = posting.next) {
      if (posting.cell === cell && posting.kind === kind && posting.run === run && posting.text === text) {
        posting.add(campaign)
        return posting
      }
    }
    const posting = new Posting(hash, cell, kind, run, text, campaign)
    posting.next = head
    this.byHash.set(hash, posting)
    return posting
  }

  remove(posting: Posting, campaign: number): void {
    posting.remove(campaign)
    if (!posting.isEmpty) return
    const { hash } = posting
    let before = this.byHash.get(hash)
    if (before === posting) {
      if (posting.next) this.byHash.set(hash, posting.next)
      else this.byHash.delete(hash)
      return
    }
    while (before && before.next !== posting) before = before.next
    if (before) before.next = posting.next
  }

  /** The first posting filed under a hash; the others by `next`. */
  at(hash: number): Posting | undefined {
    return this.byHash.get(hash)
  }
}
