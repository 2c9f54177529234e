import type { SlateCandidate } from '@endcap/ranking'
import type { AdIndex } from '../../index/ad-index.js'
import type { IndexedListing } from '../../index/indexed-listing.js'
import type { Candidate } from '../candidate.js'

export interface OrganicResult {
  readonly listingId: string
  readonly score: number
}

/** A listing of the slate, looked up once: every later step finds it here. */
export interface SlateRow extends SlateCandidate {
  readonly listing: IndexedListing | undefined
}

/** All listings that one request compares: the organic results in their order (each once), then ads that are not among them. */
export interface Slate {
  readonly rows: SlateRow[]
  readonly organicRows: number
  /** The row of each listing. */
  readonly rowOf: Map<string, number>
}

export function organicSlate(index: AdIndex, organic: readonly OrganicResult[]): Slate {
  const rows: SlateRow[] = []
  const rowOf = new Map<string, number>()
  for (const { listingId, score } of organic) {
    if (rowOf.has(listingId)) continue
    rowOf.set(listingId, rows.length)
    rows.push({
      listing: index.listing(listingId),
      listingId,
      organicScore: score,
      organicRank: rows.length + 1,
    })
  }
  return { rows, organicRows: rows.length, rowOf }
}

/** Adds the candidates' listings to the slate and tells each candidate its row; a listing has one row however often it is bid for. */
export function addCandidates(slate: Slate, candidates: readonly Candidate[]): void {
  const { rowOf } = slate
  for (const candidate of candidates) {
    let row = rowOf.get(candidate.listingId)
    if (row === undefined) {
      row = slate.rows.length
      slate.rows.push({
        listing: candidate.listing,
        listingId: candidate.listingId,
        organicScore: undefined,
        organicRank: 0,
      })
      rowOf.set(candidate.listingId, row)
    }
    candidate.row = row
  }
}
