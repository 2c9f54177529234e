import { type AuctionRules, effectiveBid, qualityOf, reserveOf } from '@endcap/auction'
import { bidInputsOf, type Candidate } from '../candidate.js'
import type { DropLedger } from '../drop-reasons.js'

/** What is expected of an ad before the model is asked. */
interface EarlyPrediction {
  readonly pctr: number
  readonly pcvr: number
}

export interface ShortlistDeps {
  readonly maxCandidates: number
  readonly rules: AuctionRules
  /** By candidate, in their order. */
  readonly predictEarly: (candidates: readonly Candidate[]) => readonly EarlyPrediction[]
}

interface Estimated {
  readonly candidate: Candidate
  /** Money per impression, as the auction would score it; 0 for a bid below the reserve. */
  readonly score: number
  /** How many of its merchant's ads are expected to score better. */
  turn: number
}

/**
 * The ads that the model is asked about, at most so many. Where more may be shown, merchants take turns by what their ads are expected to
 * score: the best ad of each, then the second best of each, until the list is full; ads whose bids are below the reserve come last. So it
 * does not matter to others how many ads a merchant has, or how much it would bid for a click that it does not expect to sell. The others
 * leave with a reason.
 */
export function shortlist(
  candidates: Candidate[],
  { maxCandidates, rules, predictEarly }: ShortlistDeps,
  drops: DropLedger,
): Candidate[] {
  if (candidates.length <= maxCandidates) return candidates
  const early = predictEarly(candidates)
  const estimated = candidates.map(
    (candidate, nth): Estimated => ({
      candidate,
      score: scoreOf(candidate, early[nth]!, rules),
      turn: 0,
    }),
  )
  estimated.sort((a, b) => b.score - a.score || (a.candidate.adId < b.candidate.adId ? -1 : 1))
  const turns = new Map<string, number>()
  for (const one of estimated) {
    const { merchantId } = one.candidate
    one.turn = turns.get(merchantId) ?? 0
    turns.set(merchantId, one.turn + 1)
  }
  // Sorting keeps the order of equals: best score first within a turn.
  estimated.sort((a, b) => Number(a.score === 0) - Number(b.score === 0) || a.turn - b.turn)
  for (const { candidate } of estimated.slice(maxCandidates)) {
    drops.add('retrieval_limit', candidate.campaign, candidate.listingId)
  }
  return estimated.slice(0, maxCandidates).map(({ candidate }) => candidate)
}

function scoreOf(candidate: Candidate, { pctr, pcvr }: EarlyPrediction, rules: AuctionRules): number {
  const { pricing, relevance } = candidate
  const bid = effectiveBid({ ...bidInputsOf(candidate), pctr, pcvr })
  if (bid <= 0n || bid < reserveOf(candidate, rules)) return 0
  const perImpression = pricing === 'cpc' ? Number(bid) : Number(bid) / 1000
  return perImpression * qualityOf({ pricing, pctr, relevance }) ** rules.squashing
}
