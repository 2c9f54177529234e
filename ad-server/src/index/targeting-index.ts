import { type CampaignState, categoryLineage } from '@endcap/contracts'
import { termsOf } from '@endcap/ranking'
import type { Point } from '../domain/geo.js'
import { CELL_LEVELS, cellOf, EVERYWHERE, levelOf } from '../domain/geo-cells.js'
import { type Keyword, meets } from './keyword.js'
import { Names } from './names.js'
import { type Posting, type PostingKind, Postings } from './postings.js'
import { type QueryTerms, queryTerms } from './query-terms.js'
import { type TermRun, termRun } from './term-run.js'

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
  readonly postings: readonly Posting[]
  readonly cells: readonly number[]
  /** Keep the campaign out of the queries that they meet. */
  readonly negatives: readonly Keyword[]
}

/** Called for each campaign that a query meets, with the keyword that did it or ''; a campaign may be met more than once. */
export type MatchVisitor = (campaign: number, keyword: string) => void

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
  private readonly postings = new Postings()
  /** How many campaigns are filed in each cell, and how many cells of each level have any. */
  private readonly campaignsByCell = new Map<number, number>()
  private readonly cellsByLevel = new Uint32Array(CELL_LEVELS)

  /** `cells`: where the campaign may be shown, or [EVERYWHERE]; none at all files nothing. */
  file(campaign: number, targeting: CampaignState['targeting'], cells: readonly number[]): Filed {
    const postings: Posting[] = []
    const negatives: Keyword[] = []
    const add = (kind: PostingKind, numbers: readonly number[], first: number, second: number, text = '') => {
      const run = termRun(numbers)
      for (const cell of cells) {
        const hash = hashOf(cell, shelfOf(kind), first, second)
        postings.push(this.postings.add(hash, cell, kind, run, text, campaign))
      }
    }
    for (const { text, match, negative } of targeting.keywords) {
      const terms = termsOf(text).map((term) => this.terms.take(term))
      if (negative) negatives.push({ match, run: termRun(terms) })
      else if (terms.length === 0) continue
      else if (match === 'exact') add(match, terms, runHash(termRun(terms)), NOTHING, text)
      else add(match, terms, ...this.anchorOf(terms), text)
    }
    for (const name of new Set(targeting.categories)) {
      const number = this.categories.take(name)
      add('category', [number], number, NOTHING)
    }
    for (const name of new Set(targeting.items)) {
      const number = this.items.take(name)
      add('item', [number], number, NOTHING)
    }
    if (isUntargeted(targeting)) add('anything', [], NOTHING, NOTHING)
    for (const cell of cells) this.countCell(cell, 1)
    return { postings, cells, negatives: negatives.length === 0 ? NO_KEYWORDS : negatives }
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
      for (const number of categoryNumbers) this.visitOther(cell, 'category', number, visitor)
      for (const number of itemNumbers) this.visitOther(cell, 'item', number, visitor)
      this.visitOther(cell, 'anything', NOTHING, visitor)
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
    const { run, distinct } = query
    if (distinct.length === 0) return
    this.visitMet(cell, hashOf(cell, EXACT_SHELF, runHash(run), NOTHING), query, visitor)
    for (let i = 0; i < distinct.length; i++) {
      const term = distinct[i]!
      this.visitMet(cell, hashOf(cell, WORDS_SHELF, term, NOTHING), query, visitor)
      for (let j = i + 1; j < distinct.length; j++) {
        const other = distinct[j]!
        const hash =
          term < other ? hashOf(cell, WORDS_SHELF, term, other) : hashOf(cell, WORDS_SHELF, other, term)
        this.visitMet(cell, hash, query, visitor)
      }
    }
  }

  private visitMet(cell: number, hash: number, query: QueryTerms, visitor: MatchVisitor): void {
    for (let posting = this.postings.at(hash); posting; posting = posting.next) {
      if (posting.cell === cell && posting.text !== '' && meets(posting, query)) posting.visit(visitor)
    }
  }

  private visitOther(cell: number, kind: PostingKind, number: number, visitor: MatchVisitor): void {
    const hash = hashOf(cell, shelfOf(kind), number, NOTHING)
    let posting = this.postings.at(hash)
    if (!posting) return
    const run = number === NOTHING ? '' : termRun([number])
    for (; posting; posting = posting.next) {
      if (posting.cell === cell && posting.kind === kind && posting.run === run) posting.visit(visitor)
    }
  }

  /** The two terms of a keyword that fewest keywords use, the lower number first; a keyword of one term has no second. */
  private anchorOf(terms: readonly number[]): readonly [number, number] {
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

const NOTHING = -1
const EXACT_SHELF = 0
const WORDS_SHELF = 1
/** What is looked up together has one number. */
const SHELVES: Readonly<Record<PostingKind, number>> = {
  exact: EXACT_SHELF,
  phrase: WORDS_SHELF,
  broad: WORDS_SHELF,
  category: 2,
  item: 3,
  anything: 4,
}
const shelfOf = (kind: PostingKind): number => SHELVES[kind]

/** One number for terms in a row; the few runs that share it are told apart when they are met. */
function runHash(run: TermRun): number {
  let hash = run.length
  for (let i = 0; i < run.length; i++) hash = (Math.imul(hash, 31) + run.charCodeAt(i)) | 0
  return hash
}

/** Four integers mixed into 32 bits (the finaliser of MurmurHash3 after each), which the table holds without boxing them. */
function hashOf(cell: number, shelf: number, first: number, second: number): number {
  return mix(Math.imul(mix(mix(cell * 8 + shelf) ^ first), 31) ^ second)
}

function mix(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

function numbersOf(names: Iterable<string>, known: Names): readonly number[] {
  const numbers: number[] = []
  for (const name of names) {
    const number = known.numberOf(name)
    if (number !== undefined) numbers.push(number)
  }
  return numbers
}
