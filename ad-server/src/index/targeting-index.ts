import { type CampaignState, categoryLineage } from '@endcap/contracts'
import type { Point } from '../domain/geo.js'
import { CELL_LEVELS, cellOf, EVERYWHERE, levelOf } from '../domain/geo-cells.js'
import { type Keyword, keywordOf, meets } from './keyword.js'
import { Names } from './names.js'
import { isAt, type PlaceKind, type Posting, Postings } from './postings.js'
import { type QueryTerms, queryTerms } from './query-terms.js'

export interface RetrievalQuery {
  /** The query's terms in order, repeats kept. */
  readonly terms: readonly string[]
  /** A campaign that targets one of them, or an ancestor of one, matches. */
  readonly categories: readonly string[]
  /** Listings that the request names: a campaign that targets one of them matches. */
  readonly items: Iterable<string>
  readonly location: Point | undefined
}

/** What a campaign's targeting left in the index, so that it can be taken out again. */
export interface Filed {
  readonly postings: readonly Posting<Keyword>[]
  readonly cells: readonly number[]
  /** All its keywords in the order of its targeting; an object is shared by the campaigns that use the same keyword. */
  readonly keywords: readonly Keyword[]
  /** Keep the campaign out of the queries that they meet. */
  readonly negatives: readonly Keyword[]
}

/** Called for each campaign that a query meets, with the keyword that did it or ''; a campaign may be met more than once. */
export type MatchVisitor = (campaign: number, keyword: string) => void

const EXACT = 0
const WORDS = 1
const CATEGORY = 2
const ITEM = 3
const ANYTHING = 4
const NOTHING = -1

/**
 * Finds the campaigns whose targeting meets a request, without looking at the others.
 *
 * Exact keywords are filed under all their terms; phrase and broad ones under the two of their terms that fewest keywords use, so a
 * query looks up its terms and pairs of terms, and what shares but one common word with it is not looked at. Everything of a
 * campaign with places is filed once for each cell that they cover, and a request looks into the cells around it and into EVERYWHERE.
 * Negative keywords are not filed: only a campaign that a query meets is asked for them.
 */
export class TargetingIndex {
  private readonly terms = new Names()
  private readonly categories = new Names()
  private readonly items = new Names()
  /** By term: how many keywords used it so far. */
  private readonly termUses: number[] = []
  private readonly postings = new Postings<Keyword>()
  /** How many campaigns are filed in each cell, and how many cells of each level have any. */
  private readonly campaignsByCell = new Map<number, number>()
  private readonly cellsByLevel = new Uint32Array(CELL_LEVELS)

  /** `cells`: where the campaign may be shown, or [EVERYWHERE]; none at all files nothing. */
  file(campaign: number, targeting: CampaignState['targeting'], cells: readonly number[]): Filed {
    const postings: Posting<Keyword>[] = []
    const add = (kind: PlaceKind, first: number, second: number, keyword?: Keyword): void => {
      for (const cell of cells) {
        postings.push(this.postings.add({ cell, kind, first, second }, keyword, campaign))
      }
    }
    const keywords = targeting.keywords.map((state) => {
      const keyword = keywordOf(state, this.terms)
      if (keyword.negative || keyword.terms.length === 0) return keyword
      if (keyword.match === 'exact') add(EXACT, runHash(keyword.terms), NOTHING, keyword)
      else add(WORDS, ...this.anchorOf(keyword), keyword)
      return postings.at(-1)?.label ?? keyword
    })
    for (const name of new Set(targeting.categories)) add(CATEGORY, this.categories.take(name), NOTHING)
    for (const name of new Set(targeting.items)) add(ITEM, this.items.take(name), NOTHING)
    if (isUntargeted(targeting)) add(ANYTHING, NOTHING, NOTHING)
    for (const cell of cells) this.countCell(cell, 1)
    const negatives = keywords.filter(({ negative }) => negative)
    return { postings, cells, keywords, negatives: negatives.length === 0 ? NO_KEYWORDS : negatives }
  }

  unfile(campaign: number, { postings, cells }: Filed): void {
    for (const posting of postings) this.postings.remove(posting, campaign)
    for (const cell of cells) this.countCell(cell, -1)
  }

  /** The query's terms as `visit` takes them. */
  read(terms: readonly string[]): QueryTerms {
    return queryTerms(terms, this.terms)
  }

  visit(query: QueryTerms, { categories, items, location }: RetrievalQuery, visitor: MatchVisitor): void {
    const categoryNumbers =
      this.categories.size === 0
        ? NO_NUMBERS
        : numbersOf(categories.flatMap(categoryLineage), this.categories)
    const itemNumbers = this.items.size === 0 ? NO_NUMBERS : numbersOf(items, this.items)
    for (const cell of this.cellsAround(location)) {
      this.visitKeywords(cell, query, visitor)
      for (const category of categoryNumbers) this.visitPlace(cell, CATEGORY, category, visitor)
      for (const item of itemNumbers) this.visitPlace(cell, ITEM, item, visitor)
      this.visitPlace(cell, ANYTHING, NOTHING, visitor)
    }
  }

  /** EVERYWHERE, and the cells around a point that any campaign is filed in. */
  private cellsAround(location: Point | undefined): readonly number[] {
    if (!location || this.campaignsByCell.size === 0) return ONLY_EVERYWHERE
    const cells = [EVERYWHERE]
    for (let level = 0; level < CELL_LEVELS; level++) {
      if (this.cellsByLevel[level] === 0) continue
      const cell = cellOf(location, level)
      if (this.campaignsByCell.has(cell)) cells.push(cell)
    }
    return cells
  }

  private visitKeywords(cell: number, query: QueryTerms, visitor: MatchVisitor): void {
    const { run, distinct, isWhole } = query
    if (isWhole && run.length > 0) this.visitWords(cell, EXACT, runHash(run), NOTHING, query, visitor)
    for (let i = 0; i < distinct.length; i++) {
      const term = distinct[i]!
      this.visitWords(cell, WORDS, term, NOTHING, query, visitor)
      for (let j = i + 1; j < distinct.length; j++) {
        const other = distinct[j]!
        if (term < other) this.visitWords(cell, WORDS, term, other, query, visitor)
        else this.visitWords(cell, WORDS, other, term, query, visitor)
      }
    }
  }

  private visitWords(
    cell: number,
    kind: PlaceKind,
    first: number,
    second: number,
    query: QueryTerms,
    visitor: MatchVisitor,
  ): void {
    let posting = this.postings.listAt(cell, kind, first, second)
    for (; posting; posting = posting.next) {
      if (isAt(posting, cell, kind, first, second) && meets(posting.label!, query)) report(posting, visitor)
    }
  }

  private visitPlace(cell: number, kind: PlaceKind, first: number, visitor: MatchVisitor): void {
    let posting = this.postings.listAt(cell, kind, first, NOTHING)
    for (; posting; posting = posting.next) {
      if (isAt(posting, cell, kind, first, NOTHING)) report(posting, visitor)
    }
  }

  /** The two terms of a keyword that fewest keywords use, the lower number first; a keyword of one term has no second. */
  private anchorOf({ terms }: Keyword): readonly [number, number] {
    const distinct = [...new Set(terms)]
    const usesOf = (term: number): number => this.termUses[term] ?? 0
    const [rarest, second = NOTHING] = distinct.toSorted((a, b) => usesOf(a) - usesOf(b) || a - b)
    for (const term of distinct) this.termUses[term] = usesOf(term) + 1
    if (second === NOTHING) return [rarest!, NOTHING]
    return rarest! < second ? [rarest!, second] : [second, rarest!]
  }

  private countCell(cell: number, by: 1 | -1): void {
    if (cell === EVERYWHERE) return
    const before = this.campaignsByCell.get(cell) ?? 0
    if (before + by === 0) this.campaignsByCell.delete(cell)
    else this.campaignsByCell.set(cell, before + by)
    if (before === 0 || before + by === 0) this.cellsByLevel[levelOf(cell)]! += by
  }
}

const NO_KEYWORDS: readonly Keyword[] = []
const NO_NUMBERS: readonly number[] = []
const ONLY_EVERYWHERE: readonly number[] = [EVERYWHERE]

/** Negative keywords exclude; they do not make a campaign match less than everything. */
const isUntargeted = (targeting: CampaignState['targeting']): boolean =>
  targeting.keywords.every((keyword) => keyword.negative) &&
  targeting.categories.length === 0 &&
  targeting.items.length === 0

/** One number for terms in a row; the few runs that share it are told apart when they are met. */
function runHash(terms: readonly number[]): number {
  let hash = terms.length
  for (const term of terms) hash = (Math.imul(hash, 31) + term) | 0
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

function report(posting: Posting<Keyword>, visitor: MatchVisitor): void {
  const keyword = posting.label?.text ?? ''
  for (const campaign of posting.campaigns) visitor(campaign, keyword)
}
