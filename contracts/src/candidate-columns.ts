import { z } from 'zod'

/**
 * The candidates of an auction as the event log carries them: one list a field instead of one object a candidate, and their numbers as
 * bytes. Printing half a hundred objects of twenty names each would be the dearest step of a served page.
 *
 * Fields at the top are of every candidate, in the order of the event; those of `sponsored` only of the sponsored ones, in that order.
 */
export const candidateColumns = z.object({
  listingId: z.array(z.string()),
  merchantId: z.array(z.string()),
  sponsored: z.object({
    /** Which candidates they are, from 0, rising. */
    index: z.array(z.int().min(0)),
    campaignId: z.array(z.string()),
    adId: z.array(z.string()),
    outcome: z.array(z.string()),
    reason: z.array(z.string()),
    pricing: z.array(z.string()),
    keyword: z.array(z.string()),
    bidMicros: z.array(z.string()),
    priceMicros: z.array(z.string()),
  }),
  /** Base64 of little-endian float64: a row of EVERY numbers a candidate, then a row of SPONSORED ones a sponsored candidate. */
  numbers: z.string(),
})
export type CandidateColumns = z.infer<typeof candidateColumns>

/** What the columns hold of an organic slot. */
export interface OrganicFields {
  readonly position: number
  readonly listingId: string
  readonly merchantId: string
  readonly sponsored: false
  readonly pctr: number
  readonly pcvr: number
  readonly organicScore: number | null
  readonly organicRank: number
}

/** What the columns hold of a sponsored candidate. */
export interface SponsoredFields extends Omit<OrganicFields, 'sponsored'> {
  readonly sponsored: true
  readonly campaignId: string
  readonly adId: string
  readonly outcome: string
  readonly reason: string
  readonly pricing: string
  /** '' where no keyword made the match. */
  readonly keyword: string
  readonly bidMicros: string
  readonly priceMicros: string
  readonly quality: number
  readonly score: number
  readonly relevance: number
  readonly sampleProbability: number
  readonly tieDraw: number | undefined
}

export type CandidateFields = OrganicFields | SponsoredFields

/** position, pctr, pcvr, organicScore (NaN: none), organicRank. */
const EVERY = 5
/** quality, score, relevance, sampleProbability, tieDraw (NaN: none). */
const SPONSORED = 5

// Packing is synchronous, so that no two events can use it at once.
let scratch = new Float64Array(64 * (EVERY + SPONSORED))

/** The candidates as columns, lists and bytes apart, because they are printed apart; `candidatesOf` reads both together. */
export function columnsOf(candidates: readonly CandidateFields[]): {
  readonly lists: Omit<CandidateColumns, 'numbers'>
  readonly numbers: string
} {
  const { length } = candidates
  if (scratch.length < length * (EVERY + SPONSORED)) {
    scratch = new Float64Array(2 * length * (EVERY + SPONSORED))
  }
  const listingId: string[] = []
  const merchantId: string[] = []
  const index: number[] = []
  const campaignId: string[] = []
  const adId: string[] = []
  const outcome: string[] = []
  const reason: string[] = []
  const pricing: string[] = []
  const keyword: string[] = []
  const bidMicros: string[] = []
  const priceMicros: string[] = []
  let at = 0
  let soldAt = length * EVERY
  for (let row = 0; row < length; row++) {
    const candidate = candidates[row]!
    listingId.push(candidate.listingId)
    merchantId.push(candidate.merchantId)
    scratch[at++] = candidate.position
    scratch[at++] = candidate.pctr
    scratch[at++] = candidate.pcvr
    scratch[at++] = candidate.organicScore ?? Number.NaN
    scratch[at++] = candidate.organicRank
    if (!candidate.sponsored) continue
    index.push(row)
    campaignId.push(candidate.campaignId)
    adId.push(candidate.adId)
    outcome.push(candidate.outcome)
    reason.push(candidate.reason)
    pricing.push(candidate.pricing)
    keyword.push(candidate.keyword)
    bidMicros.push(candidate.bidMicros)
    priceMicros.push(candidate.priceMicros)
    scratch[soldAt++] = candidate.quality
    scratch[soldAt++] = candidate.score
    scratch[soldAt++] = candidate.relevance
    scratch[soldAt++] = candidate.sampleProbability
    scratch[soldAt++] = candidate.tieDraw ?? Number.NaN
  }
  const bytes = Buffer.from(scratch.buffer, 0, soldAt * Float64Array.BYTES_PER_ELEMENT)
  const sponsored = {
    index,
    campaignId,
    adId,
    outcome,
    reason,
    pricing,
    keyword,
    bidMicros,
    priceMicros,
  }
  return {
    lists: { listingId, merchantId, sponsored },
    numbers: bytes.toString('base64'),
  }
}

/** Columns that are not as long as one another, or whose bytes are not whole rows of numbers. */
export class ColumnsError extends Error {
  override readonly name = 'ColumnsError'
}

/**
 * The candidates that the columns hold, each as the object that an `auctionCandidate` is read from.
 * @throws ColumnsError
 */
export function candidatesOf(columns: CandidateColumns): Record<string, unknown>[] {
  const { listingId, merchantId } = columns
  const { index, ...texts } = columns.sponsored
  const soldFrom = listingId.length * EVERY
  const numbers = numbersOf(columns.numbers, soldFrom + index.length * SPONSORED)
  sameLength(merchantId, listingId.length, 'merchantId')
  for (const name of SPONSORED_TEXTS) sameLength(texts[name], index.length, `sponsored.${name}`)
  const candidates = listingId.map((id, row): Record<string, unknown> => {
    const at = row * EVERY
    return {
      position: numbers[at],
      listingId: id,
      merchantId: merchantId[row],
      sponsored: false,
      outcome: 'shown',
      pctr: numbers[at + 1],
      pcvr: numbers[at + 2],
      organicScore: orNull(numbers[at + 3]!),
      organicRank: numbers[at + 4],
    }
  })
  index.forEach((row, i) => {
    const candidate = candidates[row]
    if (!candidate || candidate.sponsored) {
      throw new ColumnsError(`sponsored.index: ${row} is no candidate, or named twice`)
    }
    for (const name of SPONSORED_TEXTS) candidate[name] = texts[name][i]
    const at = soldFrom + i * SPONSORED
    Object.assign(candidate, {
      sponsored: true,
      quality: numbers[at],
      score: numbers[at + 1],
      relevance: numbers[at + 2],
      sampleProbability: numbers[at + 3],
      tieDraw: orNull(numbers[at + 4]!) ?? undefined,
    })
  })
  return candidates
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value)

const SPONSORED_TEXTS = [
  'campaignId',
  'adId',
  'outcome',
  'reason',
  'pricing',
  'keyword',
  'bidMicros',
  'priceMicros',
] as const

function sameLength(column: readonly unknown[], length: number, name: string): void {
  if (column.length !== length) throw new ColumnsError(`${name}: ${column.length} of ${length}`)
}

function numbersOf(base64: string, count: number): Float64Array {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length !== count * Float64Array.BYTES_PER_ELEMENT) {
    throw new ColumnsError(`numbers: ${bytes.length} bytes are not ${count} float64`)
  }
  // Copied, because a Buffer may begin anywhere in its memory.
  return new Float64Array(new Uint8Array(bytes).buffer)
}
