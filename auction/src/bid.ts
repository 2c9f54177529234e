import type { Micros, Pricing } from '@endcap/contracts'

export interface BidInputs {
  readonly pricing: Pricing
  /** What the merchant bids at most: per click for cpc, per thousand impressions for cpm. */
  readonly bidMicros: Micros
  /** Sales wanted per unit of spend; null bids `bidMicros` itself. */
  readonly targetRoas: number | null
  readonly pctr: number
  readonly pcvr: number
  /** What an order of the listing is expected to be worth. */
  readonly orderValueMicros: Micros
  /** Pacing's hold on the bid, 0…1. */
  readonly multiplier: number
  /** What the tightest of day budget, total budget and wallet still pays for; undefined without a limit. */
  readonly remainingMicros: Micros | undefined
}

/** A bid as it stands after each step; the last one enters the auction. */
export interface BidSteps {
  /** What target ROAS allows, at most the merchant's bid. */
  readonly roasMicros: Micros
  /** That × pacing's multiplier. */
  readonly pacedMicros: Micros
  /** That, at most what one charge may still cost. */
  readonly finalMicros: Micros
}

const MULTIPLIER_SCALE = 1_000_000_000

/**
 * The bid that enters the auction, in whole micros, each step rounded down.
 *
 * With a target ROAS: probability of an order × its value ÷ target, per click (for cpm × pCTR × 1000), never above the merchant's
 * bid. Then pacing's multiplier. Last, never more than one charge that the remaining budget and wallet can pay, so that a won
 * slot can always be billed in full.
 */
export function effectiveBid(inputs: BidInputs): Micros {
  return payable(paced(roas(inputs), inputs), inputs)
}

/** The same bid step by step, for explanations. */
export function bidSteps(inputs: BidInputs): BidSteps {
  const roasMicros = roas(inputs)
  const pacedMicros = paced(roasMicros, inputs)
  return { roasMicros, pacedMicros, finalMicros: payable(pacedMicros, inputs) }
}

function roas({ pricing, bidMicros, targetRoas, pctr, pcvr, orderValueMicros }: BidInputs): Micros {
  if (targetRoas === null) return bidMicros
  const perClick = (pcvr * Number(orderValueMicros)) / targetRoas
  const wanted = pricing === 'cpc' ? perClick : perClick * pctr * 1000
  return wanted < Number(bidMicros) ? BigInt(Math.floor(wanted)) : bidMicros
}

function paced(bid: Micros, { multiplier }: BidInputs): Micros {
  if (multiplier >= 1) return bid
  return (bid * BigInt(Math.round(Math.max(0, multiplier) * MULTIPLIER_SCALE))) / BigInt(MULTIPLIER_SCALE)
}

function payable(bid: Micros, { pricing, remainingMicros }: BidInputs): Micros {
  if (remainingMicros === undefined) return bid
  const most = pricing === 'cpc' ? remainingMicros : remainingMicros * 1000n
  return most < bid ? most : bid
}
