import { type Bidder, effectiveBid, runAuction } from '@endcap/auction'
import { minMicros } from '@endcap/contracts'
import {
  type DayPlan,
  FLAT_CURVE,
  HORIZON_MS,
  learnTrafficCurve,
  type PacingState,
  planDay,
  STEP_MS,
  stepPacing,
  type TrafficCount,
} from '@endcap/pipeline'
import { createRandom, type Random } from '../demo/random.js'
import { normalQuantile, poisson } from './draws.js'
import {
  drawCampaigns,
  logHighestOther,
  type MarketCampaign,
  segmentShares,
  segmentsOf,
  trafficAt,
} from './reference-market.js'

const STRATEGIES = ['none', 'hard', 'endcap'] as const
/**
 * `none`: bids until the budget is gone. `hard`: the controller's signal decides how many auctions a campaign takes part in, with its whole
 * bid. `endcap`: the signal is the multiplier on the bid, and the gate only beneath its floor.
 */
export type Strategy = (typeof STRATEGIES)[number]

/** What a winner pays: the second price that Endcap charges, or its own bid as in the reference. */
export type Pricing = 'gsp' | 'first'

export interface MarketOptions {
  readonly seed: number
  readonly campaigns: number
  readonly days: number
  readonly auctionsPerMinute: number
  readonly strategy: Strategy
  readonly pricing: Pricing
  readonly onDay?: () => void
}

/** One campaign on one day. */
export interface CampaignDay {
  readonly day: number
  readonly budgetMicros: bigint
  readonly billedMicros: bigint
  /** Delivered beyond the budget, and so not billed. */
  readonly overMicros: bigint
  readonly impressions: number
  /** Minutes, of 1440, at whose end more than `EXHAUSTED_REST` of the budget was left. */
  readonly minutesAlive: number
}

/** A campaign with less than this share of its budget left counts as exhausted, though its last cents could still win cheap auctions. */
const EXHAUSTED_REST = 0.005
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const STEPS_PER_MINUTE = MINUTE_MS / STEP_MS
const START_MS = Date.UTC(2026, 0, 5)
const PLACEMENT = 'search'
const RULES = { reserveMicros: 0n, reserveCpmMicros: 0n, squashing: 1, maxPerMerchant: 1 }
const MICROS = 1_000_000
const PER_THOUSAND = 1000
const ALL_DAY = {
  startsAtMs: Number.NEGATIVE_INFINITY,
  endsAtMs: Number.POSITIVE_INFINITY,
  dayparts: [],
  timeZone: 'UTC',
}

/** Normal deviates of 2^16 equal probabilities: bids are drawn by the billion. */
const DEVIATES = Float64Array.from({ length: 65_536 }, (_, i) => normalQuantile((i + 0.5) / 65_536))

interface Runner {
  readonly campaign: MarketCampaign
  readonly budgetMicros: bigint
  spentMicros: bigint
  overMicros: bigint
  /** Nothing is left. */
  exhausted: boolean
  impressions: number
  minutesAlive: number
  pacing: PacingState | undefined
  /** On the bid, and the share of auctions taken part in, as the strategy has them now. */
  multiplier: number
  passThrough: number
  /** Log-mean of the bids after the multiplier. */
  logBid: number
}

/**
 * Runs one market with one strategy, with the auction, the bids and the controller that serve and pace in production. An impression is
 * billed at once, as in the reference: what delay costs is measured by `runDelivery`.
 */
export function runMarket(options: MarketOptions): readonly CampaignDay[] {
  const { strategy, pricing, auctionsPerMinute } = options
  const marketRandom = createRandom(options.seed)
  const runners = drawCampaigns(marketRandom, options.campaigns, auctionsPerMinute).map(
    (campaign): Runner => ({
      campaign,
      budgetMicros: BigInt(Math.ceil(campaign.budget * MICROS)),
      spentMicros: 0n,
      overMicros: 0n,
      exhausted: false,
      impressions: 0,
      minutesAlive: 0,
      pacing: undefined,
      multiplier: 1,
      passThrough: 1,
      logBid: campaign.mu,
    }),
  )
  const segments = segmentsOf(runners.map(({ campaign }) => campaign))
  const counts: TrafficCount[] = []
  const results: CampaignDay[] = []
  let auctionNumber = 0

  for (let day = 0; day < options.days; day++) {
    const startMs = START_MS + day * DAY_MS
    const plan = planOf(startMs, counts)
    for (const runner of runners) {
      Object.assign(runner, {
        spentMicros: 0n,
        overMicros: 0n,
        exhausted: false,
        impressions: 0,
        minutesAlive: 0,
      })
    }
    for (let minute = 0; minute < 1440; minute++) {
      const shares = segmentShares(minute)
      const mean = trafficAt(minute, auctionsPerMinute) / STEPS_PER_MINUTE
      for (let step = 0; step < STEPS_PER_MINUTE; step++) {
        const nowMs = startMs + minute * MINUTE_MS + step * STEP_MS
        if (strategy !== 'none') for (const runner of runners) pace(runner, nowMs, startMs, plan, strategy)
        const auctions = poisson(marketRandom, mean)
        count(counts, nowMs, auctions)
        for (let i = 0; i < auctions; i++) {
          const segment = segments[segmentIndex(shares, marketRandom())]!
          if (segment.campaigns.length === 0) continue
          const logOther = logHighestOther(marketRandom, segment.others)
          const bidders = biddersOf(runners, segment.campaigns, logOther, pricing, marketRandom)
          if (bidders) sellImpression(`auc_${auctionNumber++}`, bidders, logOther, pricing)
        }
      }
      for (const runner of runners) {
        const left = runner.budgetMicros - runner.spentMicros
        if (Number(left) > EXHAUSTED_REST * Number(runner.budgetMicros)) runner.minutesAlive++
      }
    }
    for (const runner of runners) {
      results.push({
        day,
        budgetMicros: runner.budgetMicros,
        billedMicros: runner.spentMicros,
        overMicros: runner.overMicros,
        impressions: runner.impressions,
        minutesAlive: runner.minutesAlive,
      })
    }
    options.onDay?.()
  }
  return results
}

function planOf(startMs: number, counts: readonly TrafficCount[]): DayPlan {
  const curve = counts.length === 0 ? FLAT_CURVE : learnTrafficCurve(counts)
  const day = new Date(startMs).toISOString().slice(0, 10)
  return planDay({ day, startMs, endMs: startMs + DAY_MS }, ALL_DAY, [PLACEMENT], curve)
}

/** The market's own log, as ClickHouse would count it. */
function count(counts: TrafficCount[], nowMs: number, auctions: number): void {
  const day = new Date(nowMs).toISOString().slice(0, 10)
  const bucket = Math.floor((nowMs % DAY_MS) / (15 * MINUTE_MS))
  const last = counts.at(-1)
  if (last?.day === day && last.bucket === bucket) {
    counts[counts.length - 1] = { ...last, auctions: last.auctions + auctions }
  } else counts.push({ placement: PLACEMENT, day, bucket, auctions })
}

function pace(
  runner: Runner,
  nowMs: number,
  startMs: number,
  plan: DayPlan,
  strategy: Exclude<Strategy, 'none'>,
): void {
  const aheadMs = Math.min(HORIZON_MS, startMs + DAY_MS - nowMs)
  const state = stepPacing(runner.pacing, {
    nowMs,
    day: String(startMs),
    allowanceMicros: runner.budgetMicros,
    spentMicros: runner.spentMicros,
    inFlightMicros: 0n,
    share: plan.shareAt(nowMs),
    shareAhead: plan.shareAt(nowMs + aheadMs),
    aheadMs,
    serves: true,
    floor: 0,
  })
  runner.pacing = state
  if (strategy === 'hard') runner.passThrough = state.multiplier * state.passThrough
  else {
    runner.passThrough = state.passThrough
    if (runner.multiplier !== state.multiplier) {
      runner.multiplier = state.multiplier
      runner.logBid = runner.campaign.mu + Math.log(state.multiplier)
    }
  }
}

function segmentIndex(shares: Float64Array, random: number): number {
  let index = 0
  while (index < shares.length - 1 && random >= shares[index]!) index++
  return index
}

interface MarketBidder extends Bidder {
  readonly runner: Runner | undefined
}

/**
 * The campaigns whose bid beats the highest of others. Whoever bids less neither wins nor sets the price, so it is not carried into the
 * auction; undefined where nobody does, and one of the others wins.
 */
function biddersOf(
  runners: readonly Runner[],
  wanting: readonly number[],
  logOther: number,
  pricing: Pricing,
  random: Random,
): MarketBidder[] | undefined {
  let bidders: MarketBidder[] | undefined
  for (const index of wanting) {
    const runner = runners[index]!
    if (runner.exhausted) continue
    const { campaign } = runner
    const deviate = DEVIATES[Math.floor(random() * DEVIATES.length)]!
    if (runner.logBid + campaign.sigma * deviate <= logOther) continue
    if (runner.passThrough < 1 && random() >= runner.passThrough) continue
    const drawn = Math.min(campaign.highestBid, Math.exp(campaign.mu + campaign.sigma * deviate))
    const bidMicros = effectiveBid({
      pricing: 'cpm',
      bidMicros: BigInt(Math.round(drawn * PER_THOUSAND * MICROS)),
      targetRoas: null,
      pctr: 0,
      pcvr: 0,
      orderValueMicros: 0n,
      multiplier: runner.multiplier,
      // The reference lets the last bid of a day exceed what is left.
      remainingMicros: pricing === 'gsp' ? runner.budgetMicros - runner.spentMicros : undefined,
    })
    bidders ??= []
    bidders.push(bidderOf(campaign.id, bidMicros, runner))
  }
  return bidders
}

const bidderOf = (id: string, bidMicros: bigint, runner: Runner | undefined): MarketBidder => ({
  adId: id,
  merchantId: id,
  listingId: id,
  pricing: 'cpm',
  bidMicros,
  pctr: 0,
  relevance: 1,
  runner,
})

function sellImpression(
  auctionId: string,
  bidders: MarketBidder[],
  logOther: number,
  pricing: Pricing,
): void {
  bidders.push(bidderOf('others', BigInt(Math.round(Math.exp(logOther) * PER_THOUSAND * MICROS)), undefined))
  const [winner] = runAuction(auctionId, bidders, 1, RULES).winners
  const runner = winner?.ranked.bidder.runner
  if (!winner || !runner) return
  const cpmMicros = pricing === 'gsp' ? winner.priceMicros : winner.ranked.bidder.bidMicros
  const costMicros = cpmMicros / BigInt(PER_THOUSAND)
  runner.impressions++
  const leftMicros = runner.budgetMicros - runner.spentMicros
  const billedMicros = minMicros(costMicros, leftMicros)
  runner.spentMicros += billedMicros
  runner.overMicros += costMicros - billedMicros
  runner.exhausted = runner.spentMicros >= runner.budgetMicros
}
