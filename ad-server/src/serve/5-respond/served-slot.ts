import type { Winner } from '@endcap/auction'
import type { Candidate } from '../candidate.js'

/** A slot of an answer: what is shown where, by whom, and its sealed token. */
export interface ServedSlot {
  readonly position: number
  readonly listingId: string
  /** Its row in the slate. */
  readonly row: number
  /** undefined: an organic result. */
  readonly winner: Winner<Candidate> | undefined
  readonly token: string
}
