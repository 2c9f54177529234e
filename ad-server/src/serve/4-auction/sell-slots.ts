import { type AuctionResult, type AuctionRules, effectiveBid, runAuction } from '@endcap/auction'
import { bidInputsOf, type Candidate } from '../candidate.js'

/** Sets each candidate's bid as it stands now and sells up to `slots` slots. */
export function sellSlots(
  auctionId: string,
  candidates: readonly Candidate[],
  slots: number,
  rules: AuctionRules,
): AuctionResult<Candidate> {
  for (const candidate of candidates) candidate.bidMicros = effectiveBid(bidInputsOf(candidate))
  return runAuction(auctionId, candidates, slots, rules)
}
