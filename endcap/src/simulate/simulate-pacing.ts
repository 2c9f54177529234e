import { type DeliveryOptions, runDelivery } from './run-delivery.js'
import { type MarketOptions, type Pricing, runMarket, type Strategy } from './run-market.js'
import {
  BEST_REFERENCE,
  figuresOf,
  type PacingFigures,
  type PacingSpreads,
  PUBLISHED_REFERENCE,
  type Spread,
  spreadOf,
  spreadsOf,
} from './summarise.js'

export interface SimulationOptions {
  readonly seeds: number
  readonly firstSeed: number
  readonly days: number
  readonly campaigns: number
  readonly auctionsPerMinute: number
  readonly processes: number
  /** Days of markets that are done and that there are. */
  readonly onProgress?: (done: number, total: number) => void
}

interface MarketRow {
  readonly strategy: Strategy
  /** `gsp`: as Endcap sells. `first`: as the reference does, to show that the market has its shape. */
  readonly pricing: Pricing
  readonly figures: PacingSpreads
  /** Campaign-days that were billed more than their budget. */
  readonly billedOver: number
}

interface DeliveryRow {
  readonly pacing: DeliveryOptions['pacing']
  readonly holding: DeliveryOptions['holding']
  /** Clicked but not billed, as a share of what was billed. */
  readonly overDeliveryOfSpend: Spread
  readonly utilisation: Spread
  readonly clicks: Spread
  readonly billedOverMicros: string
}

export interface PacingSimulation {
  readonly ok: boolean
  readonly seeds: number
  readonly publishedReference: Readonly<Record<string, PacingFigures>>
  readonly market: readonly MarketRow[]
  readonly delivery: readonly DeliveryRow[]
  readonly checks: readonly {
    readonly name: string
    readonly left: string
    readonly right: string
    readonly ok: boolean
  }[]
}

const MARKET_ROWS: readonly (readonly [Strategy, Pricing])[] = [
  ['none', 'first'],
  ['none', 'gsp'],
  ['hard', 'gsp'],
  ['endcap', 'gsp'],
]
const DELIVERY_ROWS: readonly Pick<DeliveryOptions, 'pacing' | 'holding'>[] = [
  { pacing: 'asap', holding: 'all' },
  { pacing: 'even', holding: 'all' },
]
const DELIVERY_DAYS = 1
const DELIVERY_PAGES_PER_MINUTE = 100
/** Over-delivery ÷ spend that several processes may cause. */
const MOST_OVER_DELIVERY = 0.005

/** Runs both markets with every seed, gives the event loop room between runs, and compares with the reference. */
export async function simulatePacing(options: SimulationOptions): Promise<PacingSimulation> {
  const seeds = Array.from({ length: options.seeds }, (_, n) => options.firstSeed + n)
  const total = seeds.length * (MARKET_ROWS.length * options.days + DELIVERY_ROWS.length * DELIVERY_DAYS)
  let done = 0
  const onDay = () => options.onProgress?.(++done, total)
  const market: MarketRow[] = []
  for (const [strategy, pricing] of MARKET_ROWS)
    market.push(await runRow({ ...options, strategy, pricing, onDay }, seeds))
  const delivery: DeliveryRow[] = []
  for (const row of DELIVERY_ROWS) {
    delivery.push(
      await runDeliveryRow(
        {
          ...row,
          campaigns: options.campaigns,
          processes: options.processes,
          days: DELIVERY_DAYS,
          pagesPerMinute: DELIVERY_PAGES_PER_MINUTE,
          onDay,
        },
        seeds,
      ),
    )
  }
  const checks = checksOf(market, delivery)
  return {
    ok: checks.every(({ ok }) => ok),
    seeds: options.seeds,
    publishedReference: PUBLISHED_REFERENCE,
    market,
    delivery,
    checks,
  }
}

async function runRow(options: Omit<MarketOptions, 'seed'>, seeds: readonly number[]): Promise<MarketRow> {
  const runs: PacingFigures[] = []
  let billedOver = 0
  for (const seed of seeds) {
    const days = runMarket({ ...options, seed })
    billedOver += days.filter(({ billedMicros, budgetMicros }) => billedMicros > budgetMicros).length
    runs.push(figuresOf(days))
    await breathe()
  }
  const { strategy, pricing } = options
  return { strategy, pricing, figures: spreadsOf(runs), billedOver }
}

async function runDeliveryRow(
  options: Omit<DeliveryOptions, 'seed'>,
  seeds: readonly number[],
): Promise<DeliveryRow> {
  const runs = []
  for (const seed of seeds) {
    runs.push(runDelivery({ ...options, seed }))
    await breathe()
  }
  const { pacing, holding } = options
  const billedOver = runs.reduce(
    (most, run) => (run.billedOverMicros > most ? run.billedOverMicros : most),
    0n,
  )
  return {
    pacing,
    holding,
    overDeliveryOfSpend: spreadOf(
      runs.map((run) => Number(run.overMicros) / Math.max(1, Number(run.billedMicros))),
    ),
    utilisation: spreadOf(runs.map((run) => Number(run.billedMicros) / Number(run.budgetMicros))),
    clicks: spreadOf(runs.map((run) => run.clicks)),
    billedOverMicros: billedOver.toString(),
  }
}

function checksOf(
  market: readonly MarketRow[],
  delivery: readonly DeliveryRow[],
): PacingSimulation['checks'] {
  const endcap = market.find(({ strategy }) => strategy === 'endcap')!.figures
  const best = BEST_REFERENCE
  const production = delivery.filter(({ holding }) => holding === 'all')
  const most = Math.max(...production.map(({ overDeliveryOfSpend }) => overDeliveryOfSpend.mean))
  const billedOver =
    market.reduce((sum, row) => sum + row.billedOver, 0) +
    delivery.filter(({ billedOverMicros }) => billedOverMicros !== '0').length
  const distance = (utilisation: number) => Math.abs(utilisation - 1)
  return [
    check('minutes_alive_above_reference', endcap.minutesAlive.mean, best.minutesAlive, (a, b) => a > b),
    check(
      'utilisation_p95_at_most_reference',
      endcap.utilisationP95.mean,
      best.utilisationP95,
      (a, b) => a <= b,
    ),
    check(
      'utilisation_p95_nearer_to_1',
      endcap.utilisationP95.mean,
      best.utilisationP95,
      (a, b) => distance(a) < distance(b),
    ),
    check('over_delivery_below_reference', endcap.overDelivery.mean, best.overDelivery, (a, b) => a < b),
    check('over_delivery_of_processes', most, MOST_OVER_DELIVERY, (a, b) => a < b),
    check('billed_over_budget', billedOver, 0, (a, b) => a === b),
  ]
}

const check = (
  name: string,
  left: number,
  right: number,
  holds: (left: number, right: number) => boolean,
) => ({
  name,
  left: String(left),
  right: String(right),
  ok: holds(left, right),
})

/** Lets progress be drawn and signals be heard between two runs. */
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve))
