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

const MULTIPLIER_SCALE = 1_000_000_000

/**
 * The bid that enters the auction, in whole micros, rounded down.
 *
 * With a target ROAS: probability of an order × its value ÷ target, per click (for cpm × pCTR × 1000), never above the merchant's
 * bid. Then pacing's multiplier. Last, never more than one charge that the remaining budget and wallet can pay, so that a won
 * slot can always be billed in full.
 */
export function effectiveBid(inputs: BidInputs): Micros {
  let bid = inputs.bidMicros
  if (inputs.targetRoas !== null) {
    const perClick = (inputs.pcvr * Number(inputs.orderValueMicros)) / inputs.targetRoas
    const wanted = inputs.pricing === 'cpc' ? perClick : perClick * inputs.pctr * 1000
    if (wanted < Number(bid)) bid = BigInt(Math.floor(wanted))
  }
  if (inputs.multiplier < 1) {
    bid =
      (bid * BigInt(Math.round(Math.max(0, inputs.multiplier) * MULTIPLIER_SCALE))) / BigInt(MULTIPLIER_SCALE)
  }
  if (inputs.remainingMicros !== undefined) {
    const payable = inputs.pricing === 'cpc' ? inputs.remainingMicros : inputs.remainingMicros * 1000n
    if (payable < bid) bid = payable
  }
  return bid
}
