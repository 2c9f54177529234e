import { normal, pick, type Random } from '../demo/random.js'
import { gamma, normalQuantile } from './draws.js'

/**
 * The market of Yahoo's public budget pacing simulator (yahoo/BudgetPacingSimulation, Apache-2.0), as its configuration describes
 * it, cut down to `auctionsPerMinute`: campaigns with log-gamma daily budgets draw a log-normal bid for every auction whose shopper
 * they want, against twice as many bids of others; traffic is Poisson around a daily cosine. Only figures are taken from there.
 */

/** Auctions a minute in the simulator as published; budgets here are cut in the same proportion as traffic. */
const REFERENCE_AUCTIONS_PER_MINUTE = 3000
export const BUDGET_LOG_GAMMA_SHAPE = 3.77
/** Bids by size of the daily budget, as cut: log-mean and log-deviation. */
const BID_CLASSES = [
  { belowBudget: 100, mu: -9.06, sigma: 3.0 },
  { belowBudget: 200, mu: -8.08, sigma: 2.47 },
  { belowBudget: Number.POSITIVE_INFINITY, mu: -7.76, sigma: 1.95 },
] as const
/** No bid of a campaign is more than this many times the mean of its bids. */
const HIGHEST_BID_OF_MEAN = 10
const OTHERS = { mu: -8.19, sigma: 2.14, perRelevantCampaign: 2 } as const
const MINUTES_PER_DAY = 1440

interface Wave {
  readonly level: number
  readonly swing: number
  readonly phase: number
}
const TRAFFIC: Omit<Wave, 'level'> = { swing: 0.75, phase: 0.2 }
/** What shoppers are: the share of each value is the softmax of the waves. */
const PROPERTIES: readonly (readonly Wave[])[] = [
  [
    { level: 1, swing: 0.5, phase: 0.2 },
    { level: 1, swing: 0.5, phase: 0.8 },
  ],
  [
    { level: 5, swing: 0.4, phase: 0 },
    { level: 5, swing: 0.2, phase: 0.5 },
    { level: 6, swing: 0.5, phase: 0.4 },
    { level: 7, swing: 0.8, phase: 0.5 },
    { level: 8, swing: 0.7, phase: 0.8 },
    { level: 9, swing: 0.4, phase: 0.8 },
  ],
]

const waveAt = ({ level, swing, phase }: Wave, minuteOfDay: number): number =>
  level * (1 + swing * Math.cos(2 * Math.PI * (minuteOfDay / MINUTES_PER_DAY + phase)))

/** Mean auctions in a minute of the day. */
export const trafficAt = (minuteOfDay: number, auctionsPerMinute: number): number =>
  waveAt({ level: auctionsPerMinute, ...TRAFFIC }, minuteOfDay)

export interface MarketCampaign {
  readonly id: string
  /** Currency units a day. */
  readonly budget: number
  /** Its bids: log-mean, log-deviation and the most it bids, in currency units per impression. */
  readonly mu: number
  readonly sigma: number
  readonly highestBid: number
  /** Wanted values of each property; undefined: any. */
  readonly wants: readonly (ReadonlySet<number> | undefined)[]
}

export function drawCampaigns(
  random: Random,
  count: number,
  auctionsPerMinute: number,
): readonly MarketCampaign[] {
  return Array.from({ length: count }, (_, index) => {
    const budget =
      (Math.exp(gamma(random, BUDGET_LOG_GAMMA_SHAPE, normal)) * auctionsPerMinute) /
      REFERENCE_AUCTIONS_PER_MINUTE
    const { mu, sigma } = BID_CLASSES.find(({ belowBudget }) => budget < belowBudget)!
    return {
      id: `cmp_${index}`,
      budget,
      mu,
      sigma,
      highestBid: HIGHEST_BID_OF_MEAN * Math.exp(mu + (sigma * sigma) / 2),
      wants: PROPERTIES.map((values) => drawWanted(random, values.length)),
    }
  })
}

/** As many values as drawn from 0 to all; none drawn: the property does not matter. */
function drawWanted(random: Random, values: number): ReadonlySet<number> | undefined {
  const count = Math.floor(random() * (values + 1))
  if (count === 0) return undefined
  const left = Array.from({ length: values }, (_, value) => value)
  const wanted = new Set<number>()
  while (wanted.size < count) {
    const value = pick(random, left)
    wanted.add(value)
    left.splice(left.indexOf(value), 1)
  }
  return wanted
}

/** The kinds of shoppers there are, each a value of every property. */
export interface Segment {
  readonly values: readonly number[]
  /** Numbers of the campaigns that want it. */
  readonly campaigns: readonly number[]
  /** Bids of others in its auctions. */
  readonly others: number
}

export function segmentsOf(campaigns: readonly MarketCampaign[]): readonly Segment[] {
  const [genders, places] = PROPERTIES as [readonly Wave[], readonly Wave[]]
  return genders.flatMap((_, gender) =>
    places.map((_, place): Segment => {
      const values = [gender, place]
      const wanting = campaigns.flatMap(({ wants }, index) =>
        wants.every((wanted, property) => !wanted || wanted.has(values[property]!)) ? [index] : [],
      )
      return { values, campaigns: wanting, others: OTHERS.perRelevantCampaign * wanting.length }
    }),
  )
}

/** Cumulative probabilities of the segments in a minute of the day, in the order of `segmentsOf`. */
export function segmentShares(minuteOfDay: number): Float64Array {
  const [genders, places] = PROPERTIES.map((values) => {
    const powers = values.map((wave) => Math.exp(waveAt(wave, minuteOfDay)))
    const sum = powers.reduce((total, power) => total + power, 0)
    return powers.map((power) => power / sum)
  }) as [number[], number[]]
  let sum = 0
  return Float64Array.from(
    genders.flatMap((gender) => places.map((place) => gender * place)),
    (share) => {
      sum += share
      return sum
    },
  )
}

/**
 * The logarithm of the highest of `bids` bids of others, drawn at once: the highest of n is below x with the n-th power of the
 * probability that one is.
 */
export const logHighestOther = (random: Random, bids: number): number =>
  OTHERS.mu + OTHERS.sigma * normalQuantile(Math.max(random(), Number.MIN_VALUE) ** (1 / bids))
