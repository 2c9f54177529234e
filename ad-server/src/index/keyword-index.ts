import type { MatchType } from '@endcap/contracts'
import { termsOf } from '@endcap/ranking'

export interface Keyword {
  readonly text: string
  readonly match: MatchType
  readonly negative: boolean
}

/** One distinct keyword and the campaigns (by slot number) that use it. */
interface Posting {
  readonly text: string
  readonly match: MatchType
  readonly negative: boolean
  readonly terms: readonly string[]
  readonly campaigns: number[]
}

/** Terms (exact) or longest term (phrase, broad) → the keywords filed there, by name. */
type Shelf = Map<string, Map<string, Posting>>

/** Called for each campaign that a query meets; a campaign may be met more than once. */
export type KeywordVisitor = (campaign: number, keyword: string, negative: boolean) => void

/**
 * Finds the campaigns whose keywords meet a query, without looking at the others. Keywords and queries are compared by their
 * normalised, stemmed terms (`termsOf`):
 * exact: the same terms in the same order; phrase: the keyword's terms in a row within the query; broad: all of them, in any order.
 * Phrase and broad keywords are filed under their longest term, the one least likely to be common.
 */
export class KeywordIndex {
  private readonly exact: Shelf = new Map()
  private readonly anchored: Shelf = new Map()

  /** A campaign's keywords are added together, one campaign after the other. */
  add(campaign: number, keyword: Keyword): void {
    const terms = termsOf(keyword.text)
    if (terms.length === 0) return
    const [shelf, place] = this.placeOf(keyword.match, terms)
    let postings = shelf.get(place)
    if (!postings) {
      postings = new Map()
      shelf.set(place, postings)
    }
    const name = nameOf(keyword)
    let posting = postings.get(name)
    if (!posting) {
      posting = { text: keyword.text, match: keyword.match, negative: keyword.negative, terms, campaigns: [] }
      postings.set(name, posting)
    }
    // A keyword that a campaign repeats comes right after itself.
    if (posting.campaigns.at(-1) !== campaign) posting.campaigns.push(campaign)
  }

  remove(campaign: number, keyword: Keyword): void {
    const terms = termsOf(keyword.text)
    if (terms.length === 0) return
    const [shelf, place] = this.placeOf(keyword.match, terms)
    const postings = shelf.get(place)
    const posting = postings?.get(nameOf(keyword))
    if (!postings || !posting) return
    const at = posting.campaigns.indexOf(campaign)
    if (at >= 0) posting.campaigns.splice(at, 1)
    if (posting.campaigns.length === 0) postings.delete(nameOf(keyword))
    if (postings.size === 0) shelf.delete(place)
  }

  /** `terms`: the query's terms in order, repeats kept. */
  visit(terms: readonly string[], visitor: KeywordVisitor): void {
    if (terms.length === 0) return
    for (const posting of this.exact.get(terms.join(' '))?.values() ?? NONE) report(posting, visitor)
    const present = new Set(terms)
    for (const term of present) {
      for (const posting of this.anchored.get(term)?.values() ?? NONE) {
        const meets =
          posting.match === 'broad'
            ? posting.terms.every((wanted) => present.has(wanted))
            : containsRun(terms, posting.terms)
        if (meets) report(posting, visitor)
      }
    }
  }

  private placeOf(match: MatchType, terms: readonly string[]): readonly [Shelf, string] {
    if (match === 'exact') return [this.exact, terms.join(' ')]
    let anchor = terms[0]!
    for (const term of terms) if (term.length > anchor.length) anchor = term
    return [this.anchored, anchor]
  }
}

const NONE: readonly Posting[] = []

const nameOf = (keyword: Keyword): string => `${keyword.negative ? '-' : '+'}${keyword.match}:${keyword.text}`

function report(posting: Posting, visitor: KeywordVisitor): void {
  for (const campaign of posting.campaigns) visitor(campaign, posting.text, posting.negative)
}

/** True when `run` stands in `terms` in a row. */
export function containsRun(terms: readonly string[], run: readonly string[]): boolean {
  for (let start = 0; start + run.length <= terms.length; start++) {
    let i = 0
    while (i < run.length && terms[start + i] === run[i]) i++
    if (i === run.length) return true
  }
  return false
}
