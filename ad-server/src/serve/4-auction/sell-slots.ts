import { type AuctionResult, type AuctionRules, runAuction } from '../../domain/auction.js'
import { effectiveBid } from '../../domain/bid.js'
import type { Candidate } from '../candidate.js'

/** Sets each candidate's bid as it stands now and sells up to `slots` slots. */
export function sellSlots(
  auctionId: string,
  candidates: readonly Candidate[],
  slots: number,
  rules: AuctionRules,
): AuctionResult<Candidate> {
  for (const candidate of candidates) {
    candidate.bidMicros = effectiveBid({
      pricing: candidate.pricing,
      bidMicros: candidate.campaign.bidMicros,
      targetRoas: candidate.campaign.state.targetRoas,
      pctr: candidate.pctr,
      pcvr: candidate.pcvr,
      orderValueMicros: candidate.orderValueMicros,
      multiplier: candidate.multiplier,
      remainingMicros: candidate.remainingMicros,
    })
  }
  return runAuction(auctionId, candidates, slots, rules)
}
