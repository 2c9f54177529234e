import {
  type AuctionResult,
  type AuctionRules,
  type BidInputs,
  effectiveBid,
  runAuction,
} from '@endcap/auction'
import type { Candidate } from '../candidate.js'

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

/** What a candidate's bid comes from. */
export const bidInputsOf = (candidate: Candidate): BidInputs => ({
  pricing: candidate.pricing,
  bidMicros: candidate.campaign.bidMicros,
  targetRoas: candidate.campaign.targetRoas,
  pctr: candidate.pctr,
  pcvr: candidate.pcvr,
  orderValueMicros: candidate.orderValueMicros,
  multiplier: candidate.multiplier,
  remainingMicros: candidate.remainingMicros,
})
