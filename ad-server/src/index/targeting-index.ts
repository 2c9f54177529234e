import { type CampaignState, categoryLineage, mixBits } from '@endcap/contracts'
import type { Point } from '../domain/geo.js'
import { CELL_LEVELS, cellOf, EVERYWHERE, levelOf } from '../domain/geo-cells.js'
import { meets } from './keyword.js'
import type { Keywords } from './keywords.js'
import { Column } from './packed/column.js'
import { NONE } from './packed/hash-chains.js'
import { Names } from './packed/names.js'
import { hashOf, Postings } from './postings.js'
import type { QueryTerms } from './query-terms.js'

export interface RetrievalQuery {
  /** The query's terms in order, repeats kept. */
  readonly terms: readonly string[]
  /** A campaign that targets one of them, or an ancestor of one, matches. */
  readonly categories: readonly string[]
  /** Listings that the request names: a campaign that targets one of them matches. */
  readonly items: Iterable<string>
  readonly location: Point | undefined
}

/** What a campaign targets, in the numbers of the index. */
export interface FiledTargeting {
  /** Of keywords that are not negative. */
  readonly keywords: readonly number[]
  readonly categories: CampaignState['targeting']['categories']
  readonly items: CampaignState['targeting']['items']
}

/** Called for each campaign that a query meets, with the number of the keyword that did it or NONE; a campaign may be met more than once. */
export type MatchVisitor = (campaign: number, keyword: number) => void

/**
 * Finds the campaigns whose targeting meets a request, without looking at the others.
 *
 * Exact keywords are filed under all their terms; phrase and broad ones under the two of their terms that fewest keywords use, so a
 * query looks up its terms and pairs of terms, and what shares but one common word with it is not looked at. Everything of a
 * campaign with places is filed once for each cell that they cover, and a request looks into the cells around it and into EVERYWHERE.
 * Negative keywords are not filed: only a campaign that a query meets is asked for them.
 */
export class TargetingIndex {
  private readonly categories = new Names()
  private readonly items = new Names()
  /** By term: how many keywords used it so far. */
  private readonly termUses = new Column()
  private readonly postings = new Postings()
  /** How many postings of campaigns stand in each cell, and how many cells of each level have any. */
  private readonly filedByCell = new Map<number, number>()
  private readonly cellsByLevel = new Uint32Array(CELL_LEVELS)

  constructor(private readonly keywords: Keywords) {}

  /** `cells`: where the campaign may be shown, or [EVERYWHERE]; none at all files nothing. */
  file(campaign: number, targeting: FiledTargeting, cells: readonly number[]): void {
    const { keywords } = targeting
    const categories = new Set(targeting.categories)
    const items = new Set(targeting.items)
    for (const keyword of keywords) {
      const { match, terms } = this.keywords.peek(keyword)
      if (terms.length === 0) continue
      if (match === 'exact') {
        const run = runHash(terms)
        for (const cell of cells) this.add(campaign, cell, EXACT, run, NOTHING, keyword)
      } else {
        const [first, second] = this.anchorOf(terms)
        for (const cell of cells) this.add(campaign, cell, WORDS, first, second, keyword)
      }
    }
    for (const name of categories) this.addOne(campaign, cells, CATEGORY, this.categories.take(name))
    for (const name of items) this.addOne(campaign, cells, ITEM, this.items.take(name))
    if (keywords.length + categories.size + items.size === 0) {
      this.addOne(campaign, cells, ANYTHING, 0)
    }
  }

  /** Takes out all that `file` filed of a campaign. */
  unfile(campaign: number): void {
    this.postings.removeAll(campaign, (cell) => this.countCell(cell, -1))
  }

  visit(query: QueryTerms, { categories, items, location }: RetrievalQuery, visitor: MatchVisitor): void {
    const categoryNumbers =
      this.categories.size === 0
        ? NO_NUMBERS
        : numbersOf(categories.flatMap(categoryLineage), this.categories)
    const itemNumbers = this.items.size === 0 ? NO_NUMBERS : numbersOf(items, this.items)
    for (const cell of this.cellsAround(location)) {
      this.visitKeywords(cell, query, visitor)
      for (const number of categoryNumbers) this.visitOther(cell, CATEGORY, number, visitor)
      for (const number of itemNumbers) this.visitOther(cell, ITEM, number, visitor)
      this.visitOther(cell, ANYTHING, 0, visitor)
    }
  }

  private addOne(campaign: number, cells: readonly number[], shelf: number, number: number): void {
    for (const cell of cells) this.add(campaign, cell, shelf, number, NOTHING, number)
  }

  private add(
    campaign: number,
    cell: number,
    shelf: number,
    first: number,
    second: number,
    number: number,
  ): void {
    const isNew = this.postings.add(
      hashOf(cell, shelf, first, second),
      cell,
      wantedAs(shelf, number),
      campaign,
    )
    if (isNew) this.countCell(cell, 1)
  }

  /** EVERYWHERE, and the cells around a point that any campaign is filed in. */
  private cellsAround(location: Point | undefined): readonly number[] {
    if (!location || this.filedByCell.size === 0) return ONLY_EVERYWHERE
    const cells = [EVERYWHERE]
    for (let level = 0; level < CELL_LEVELS; level++) {
      if (this.cellsByLevel[level] === 0) continue
      const cell = cellOf(location, level)
      if (this.filedByCell.has(cell)) cells.push(cell)
    }
    return cells
  }

  private visitKeywords(cell: number, query: QueryTerms, visitor: MatchVisitor): void {
    const { terms, distinct } = query
    if (distinct.length === 0) return
    this.visitMet(cell, EXACT, runHash(terms), NOTHING, query, visitor)
    for (let i = 0; i < distinct.length; i++) {
      const term = distinct[i]!
      this.visitMet(cell, WORDS, term, NOTHING, query, visitor)
      for (let j = i + 1; j < distinct.length; j++) {
        const other = distinct[j]!
        const low = Math.min(term, other)
        this.visitMet(cell, WORDS, low, term + other - low, query, visitor)
      }
    }
  }

  private visitMet(
    cell: number,
    shelf: number,
    first: number,
    second: number,
    query: QueryTerms,
    visitor: MatchVisitor,
  ): void {
    const { postings, keywords } = this
    const hash = hashOf(cell, shelf, first, second)
    for (let posting = postings.first(hash); posting !== NONE; posting = postings.after(posting)) {
      const wants = postings.wantedBy(posting)
      if (postings.cellOf(posting) !== cell || shelfOf(wants) !== shelf) continue
      const keyword = numberOf(wants)
      if (meets(keywords.peek(keyword), query)) this.visitPosting(posting, keyword, visitor)
    }
  }

  private visitOther(cell: number, shelf: number, number: number, visitor: MatchVisitor): void {
    const { postings } = this
    const hash = hashOf(cell, shelf, number, NOTHING)
    const wants = wantedAs(shelf, number)
    for (let posting = postings.first(hash); posting !== NONE; posting = postings.after(posting)) {
      if (postings.cellOf(posting) === cell && postings.wantedBy(posting) === wants) {
        this.visitPosting(posting, NONE, visitor)
      }
    }
  }

  private visitPosting(posting: number, keyword: number, visitor: MatchVisitor): void {
    const { postings } = this
    for (let link = postings.firstLink(posting); link !== NONE; link = postings.nextLink(link)) {
      visitor(postings.campaignOf(link), keyword)
    }
  }

  /** The two terms of a keyword that fewest keywords use, the lower number first; a keyword of one term has no second. */
  private anchorOf(terms: readonly number[]): readonly [number, number] {
    const distinct = [...new Set(terms)]
    const usesOf = (term: number): number => (term < this.termUses.length ? this.termUses.get(term) : 0)
    const [rarest, second = NOTHING] = distinct.toSorted((a, b) => usesOf(a) - usesOf(b) || a - b)
    for (const term of distinct) this.termUses.set(term, usesOf(term) + 1)
    if (second === NOTHING) return [rarest!, NOTHING]
    return rarest! < second ? [rarest!, second] : [second, rarest!]
  }

  private countCell(cell: number, by: 1 | -1): void {
    if (cell === EVERYWHERE) return
    const before = this.filedByCell.get(cell) ?? 0
    if (before + by === 0) this.filedByCell.delete(cell)
    else this.filedByCell.set(cell, before + by)
    if (before === 0 || before + by === 0) this.cellsByLevel[levelOf(cell)]! += by
  }
}

const NO_NUMBERS: readonly number[] = []
const ONLY_EVERYWHERE: readonly number[] = [EVERYWHERE]

const NOTHING = -1
/** What is looked up together stands on one shelf: exact keywords, those of other match types, categories, items, campaigns without targeting. */
const EXACT = 0
const WORDS = 1
const CATEGORY = 2
const ITEM = 3
const ANYTHING = 4

const SHELF_BITS = 3
const wantedAs = (shelf: number, number: number): number => (number << SHELF_BITS) | shelf
const shelfOf = (wants: number): number => wants & ((1 << SHELF_BITS) - 1)
const numberOf = (wants: number): number => wants >>> SHELF_BITS

/** One number for terms in a row; the few runs that share it are told apart when they are met. */
function runHash(terms: readonly number[]): number {
  let hash = terms.length
  for (let i = 0; i < terms.length; i++) hash = mixBits(Math.imul(hash, 31) + terms[i]!)
  return hash
}

function numbersOf(names: Iterable<string>, known: Names): readonly number[] {
  const numbers: number[] = []
  for (const name of names) {
    const number = known.numberOf(name)
    if (number !== undefined) numbers.push(number)
  }
  return numbers
}
