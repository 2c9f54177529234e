import type { SlateCandidate } from '@endcap/ranking'
import type { AdIndex } from '../../index/ad-index.js'
import type { IndexedListing } from '../../index/indexed-listing.js'
import type { Candidate } from '../candidate.js'

export interface OrganicResult {
  readonly listingId: string
  readonly score: number
}

/** A listing of the slate, looked up once: every later step finds it here. */
interface SlateRow extends SlateCandidate {
  readonly listing: IndexedListing | undefined
}

/** All listings that one request compares: the organic results in their order (each once), then ads that are not among them. */
export interface Slate {
  readonly rows: readonly SlateRow[]
  readonly organicRows: number
}

/** Number of the slate that is being made. A listing remembers the last one it is in, which spares a table of its own. */
let making = 0

/** Makes the slate and tells each candidate its row; a listing has one row however often it is found or bid for. */
export function slateOf(
  index: AdIndex,
  organic: readonly OrganicResult[],
  candidates: readonly Candidate[],
): Slate {
  making++
  const rows: SlateRow[] = []
  let strangers: Set<string> | undefined
  const known = index.listingsOf(organic.map(({ listingId }) => listingId))
  for (let nth = 0; nth < organic.length; nth++) {
    const { listingId, score } = organic[nth]!
    const listing = known[nth]
    if (listing) {
      if (listing.slate === making) continue
      listing.slate = making
      listing.slateRow = rows.length
    } else {
      strangers ??= new Set()
      if (strangers.has(listingId)) continue
      strangers.add(listingId)
    }
    rows.push({ listing, listingId, organicScore: score, organicRank: rows.length + 1 })
  }
  const organicRows = rows.length
  for (const candidate of candidates) {
    const { listing } = candidate
    if (listing.slate !== making) {
      listing.slate = making
      listing.slateRow = rows.length
      rows.push({ listing, listingId: listing.id, organicScore: undefined, organicRank: 0 })
    }
    candidate.row = listing.slateRow
  }
  return { rows, organicRows }
}
