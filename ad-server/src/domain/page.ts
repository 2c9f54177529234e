export interface PageSlot {
  /** 1-based. */
  readonly position: number
  /** Index of the winner shown here; -1 for an organic slot. */
  readonly winner: number
  /** Index of the organic result shown here; -1 for a sponsored slot. */
  readonly organic: number
}

export interface PageInput {
  /** How many slots the page may have. */
  readonly total: number
  /** Positions for sale, in any order. */
  readonly sponsored: readonly number[]
  /** How many winners there are. */
  readonly winners: number
  /** Indices of the organic results, best first; without those whose listing a winner shows. */
  readonly organic: ArrayLike<number>
  /** The request brought no organic results: whoever asked lays out the rest of the page. */
  readonly sponsoredOnly: boolean
}

/**
 * Lays winners and organic results out on one page. The sponsored positions take the winners, best first; one without a winner goes
 * to the next organic result. The page has no holes: it ends where neither is left for a position, and winners beyond that are not
 * shown. Only where the request brought no organic results at all do winners stand at their positions by themselves.
 */
export function layOutPage({ total, sponsored, winners, organic, sponsoredOnly }: PageInput): PageSlot[] {
  const slots: PageSlot[] = []
  const forSale = new Set(sponsored)
  let nextWinner = 0
  let nextOrganic = 0
  for (let position = 1; position <= total; position++) {
    if (nextWinner < winners && forSale.has(position)) {
      slots.push({ position, winner: nextWinner++, organic: -1 })
    } else if (nextOrganic < organic.length) {
      slots.push({ position, winner: -1, organic: organic[nextOrganic++]! })
    } else if (!sponsoredOnly) break
  }
  return slots
}
