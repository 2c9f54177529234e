import {
  Accounts,
  AdIndex,
  type CampaignSpend,
  expectedSpend,
  type Holder,
  InFlightSpend,
  remainingOf,
  spentOf,
  tightestOf,
} from '@endcap/ad-server'
import { type Bidder, effectiveBid, runAuction } from '@endcap/auction'
import { type CampaignState, type ChangeData, type Micros, NO_TARGETING } from '@endcap/contracts'
import { FLAT_CURVE, HORIZON_MS, type PacingState, planDay, STEP_MS, stepPacing } from '@endcap/pipeline'
import { createRandom, normal, type Random } from '../demo/random.js'
import { gamma, poisson } from './draws.js'
import { BUDGET_LOG_GAMMA_SHAPE, trafficAt } from './reference-market.js'

/**
 * What a process knows of spend that billing has not counted yet: nothing; what it holds itself; or what all hold, as in
 * production.
 */
const HOLDINGS = ['nothing', 'own', 'all'] as const
type Holding = (typeof HOLDINGS)[number]

export interface DeliveryOptions {
  readonly seed: number
  readonly campaigns: number
  readonly days: number
  /** Pages with sponsored slots, a minute. */
  readonly pagesPerMinute: number
  /** Ad-server processes that share the pages. */
  readonly processes: number
  readonly pacing: CampaignState['pacing']
  readonly holding: Holding
  readonly onDay?: () => void
}

export interface Delivery {
  readonly budgetMicros: Micros
  /** Never more than the budget. */
  readonly billedMicros: Micros
  /** Clicked, but the budget was used up: given away. */
  readonly overMicros: Micros
  /** The largest excess of what was billed to a campaign on a day over its budget; 0. */
  readonly billedOverMicros: Micros
  readonly clicks: number
}

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 5)
/** Processes read the view of budgets this often. */
const TICK_MS = 500
const TICKS_PER_MINUTE = 60_000 / TICK_MS
const TICKS_PER_STEP = STEP_MS / TICK_MS
/** Processes learn of each other's spend in flight half as often as in production. */
const TICKS_PER_EXCHANGE = 2
/** From a click to the view that counts it: event log, billing, publication. */
const BILLING_TICKS = 3
/** From page to click: median and log-deviation of a log-normal, and the longest. */
const CLICK_MEDIAN_MS = 8_000
const CLICK_SIGMA = 1.2
const LONGEST_CLICK_MS = 15 * 60_000
const SLOTS = 2
const RULES = { reserveMicros: 50_000n, reserveCpmMicros: 0n, squashing: 1, maxPerMerchant: 1 }
const MICROS = 1_000_000
/** Daily budgets: log-gamma as in the reference, in currency units, for so many pages a minute. */
const PAGES_OF_WHOLE_BUDGETS = 200
const LEAST_BUDGET = 5
const MOST_BUDGET = 2000
/** Log-normal: bids per click, predicted click rates, and true rates ÷ predicted ones. */
const BID = { median: 0.5, sigma: 0.5 }
const PCTR = { median: 0.03, sigma: 0.4 }
const TRUTH_SIGMA = 0.2
/** The campaigns' share of pages that they want. */
const WANTED_SHARE = 0.2
const ALL_DAY = {
  startsAtMs: Number.NEGATIVE_INFINITY,
  endsAtMs: Number.POSITIVE_INFINITY,
  dayparts: [],
  timeZone: 'UTC',
}

interface Shop {
  readonly id: string
  readonly budgetMicros: Micros
  readonly bidMicros: Micros
  readonly pctr: number
  /** True click rate ÷ predicted. */
  readonly truth: number
  spentDayMicros: Micros
  spentTotalMicros: Micros
  overMicros: Micros
  pacing: PacingState | undefined
  multiplier: number
  passThrough: number
}

interface AdProcess {
  readonly index: AdIndex
  readonly accounts: Accounts
  readonly inFlight: InFlightSpend
}

interface Click {
  readonly shop: Shop
  readonly priceMicros: Micros
}

interface SlotBidder extends Bidder {
  readonly shop: Shop
}

/**
 * Over-delivery in a market where it can happen: several ad-server processes, each with its own copy of budgets half a second to two
 * seconds old, sell clicks that come seconds to minutes later. Accounts, spend in flight, limits, bids, auction and controller are
 * those of production; billing's rule (whole or not at all, never beyond the budget) stands in for billing.
 */
export function runDelivery(options: DeliveryOptions): Delivery {
  const random = createRandom(options.seed)
  const shops = Array.from({ length: options.campaigns }, (_, n) =>
    drawShop(random, n, options.pagesPerMinute),
  )
  const processes = Array.from({ length: options.processes }, () => createProcess(shops, options.pacing))
  const holders = shops.map(({ id }) => processes.map(({ accounts }) => accounts.campaign(id)))
  const clicks = new Map<number, Click[]>()
  const views = new Map<number, Set<Shop>>()
  const result = { budgetMicros: 0n, billedMicros: 0n, overMicros: 0n, billedOverMicros: 0n, clicks: 0 }
  const ticksPerDay = DAY_MS / TICK_MS

  for (let day = 0; day < options.days; day++) {
    const startMs = START_MS + day * DAY_MS
    const dayName = new Date(startMs).toISOString().slice(0, 10)
    const plan = planDay({ day: dayName, startMs, endMs: startMs + DAY_MS }, ALL_DAY, [], FLAT_CURVE)
    for (const shop of shops) shop.spentDayMicros = 0n
    for (let tickOfDay = 0; tickOfDay < ticksPerDay; tickOfDay++) {
      const tick = day * ticksPerDay + tickOfDay
      const nowMs = startMs + tickOfDay * TICK_MS
      for (const click of clicks.get(tick) ?? []) {
        bill(click)
        publish(click.shop, tick + BILLING_TICKS)
      }
      clicks.delete(tick)
      for (const process of processes) readViews(process, views.get(tick), dayName, nowMs, options.holding)
      views.delete(tick)
      if (options.holding === 'all' && tick % TICKS_PER_EXCHANGE === 0) exchange(holders)
      if (options.pacing === 'even' && tickOfDay % TICKS_PER_STEP === 0) {
        const aheadMs = Math.min(HORIZON_MS, startMs + DAY_MS - nowMs)
        for (const [n, shop] of shops.entries()) {
          shop.pacing = stepPacing(shop.pacing, {
            nowMs,
            day: dayName,
            allowanceMicros: shop.budgetMicros,
            spentMicros: shop.spentDayMicros,
            inFlightMicros: holders[n]!.reduce((sum, { heldMicros }) => sum + heldMicros, 0n),
            share: plan.shareAt(nowMs),
            shareAhead: plan.shareAt(nowMs + aheadMs),
            aheadMs,
            serves: true,
            floor: Number(RULES.reserveMicros) / Number(shop.bidMicros),
          })
          shop.multiplier = shop.pacing.multiplier
          shop.passThrough = shop.pacing.passThrough
        }
      }
      const mean =
        trafficAt(Math.floor(tickOfDay / TICKS_PER_MINUTE), options.pagesPerMinute) / TICKS_PER_MINUTE
      for (let pages = poisson(random, mean); pages > 0; pages--) {
        const process = processes[Math.floor(random() * processes.length)]!
        servePage(process, dayName, tick, nowMs)
      }
    }
    for (const shop of shops) {
      result.budgetMicros += shop.budgetMicros
      result.billedMicros += shop.spentDayMicros
      const excess = shop.spentDayMicros - shop.budgetMicros
      if (excess > result.billedOverMicros) result.billedOverMicros = excess
    }
    options.onDay?.()
  }
  for (const shop of shops) result.overMicros += shop.overMicros
  return result

  function servePage(process: AdProcess, day: string, tick: number, nowMs: number): void {
    process.inFlight.advance(nowMs)
    const bidders = shops.flatMap((shop) => bidderOf(process, shop, day, random) ?? [])
    const { winners } = runAuction(`auc_${tick}_${random()}`, bidders, SLOTS, RULES)
    for (const { ranked, priceMicros } of winners) {
      const { shop, pctr } = ranked.bidder
      const campaign = process.index.campaign(shop.id)!
      if (options.holding !== 'nothing') {
        process.inFlight.hold(
          [campaign.account, campaign.wallet],
          expectedSpend('cpc', priceMicros, pctr),
          nowMs,
        )
      }
      if (random() >= pctr * shop.truth) continue
      const delayMs = CLICK_MEDIAN_MS * Math.exp(CLICK_SIGMA * normal(random))
      const at = tick + 1 + Math.floor(Math.min(delayMs, LONGEST_CLICK_MS) / TICK_MS)
      const due = clicks.get(at)
      if (due) due.push({ shop, priceMicros })
      else clicks.set(at, [{ shop, priceMicros }])
    }
  }

  /** Whole or not at all, as billing does it. */
  function bill({ shop, priceMicros }: Click): void {
    result.clicks++
    if (shop.spentDayMicros + priceMicros > shop.budgetMicros) {
      shop.overMicros += priceMicros
      return
    }
    shop.spentDayMicros += priceMicros
    shop.spentTotalMicros += priceMicros
  }

  function publish(shop: Shop, tick: number): void {
    const due = views.get(tick)
    if (due) due.add(shop)
    else views.set(tick, new Set([shop]))
  }
}

function drawShop(random: Random, n: number, pagesPerMinute: number): Shop {
  const budget =
    Math.min(MOST_BUDGET, Math.exp(gamma(random, BUDGET_LOG_GAMMA_SHAPE, normal))) *
    (pagesPerMinute / PAGES_OF_WHOLE_BUDGETS)
  return {
    id: `cmp_${n}`,
    budgetMicros: BigInt(Math.ceil(Math.max(LEAST_BUDGET, budget) * MICROS)),
    bidMicros: BigInt(Math.round(BID.median * Math.exp(BID.sigma * normal(random)) * MICROS)),
    pctr: PCTR.median * Math.exp(PCTR.sigma * normal(random)),
    truth: Math.exp(TRUTH_SIGMA * normal(random)),
    spentDayMicros: 0n,
    spentTotalMicros: 0n,
    overMicros: 0n,
    pacing: undefined,
    multiplier: 1,
    passThrough: 1,
  }
}

function bidderOf(process: AdProcess, shop: Shop, day: string, random: Random): SlotBidder | undefined {
  if (random() >= WANTED_SHARE) return undefined
  const remaining = remainingOf(process.index.campaign(shop.id)!, day)
  if (spentOf(remaining)) return undefined
  if (shop.passThrough < 1 && random() >= shop.passThrough) return undefined
  const bidMicros = effectiveBid({
    pricing: 'cpc',
    bidMicros: shop.bidMicros,
    targetRoas: null,
    pctr: shop.pctr,
    pcvr: 0,
    orderValueMicros: 0n,
    multiplier: shop.multiplier,
    remainingMicros: tightestOf(remaining),
  })
  return {
    adId: shop.id,
    merchantId: shop.id,
    listingId: shop.id,
    pricing: 'cpc',
    bidMicros,
    pctr: shop.pctr,
    relevance: 1,
    shop,
  }
}

function createProcess(shops: readonly Shop[], pacing: CampaignState['pacing']): AdProcess {
  const accounts = new Accounts()
  const index = new AdIndex(accounts)
  for (const shop of shops) {
    index.apply(campaignChange(shop, pacing))
    accounts.wallet(shop.id).balanceMicros = 10n ** 15n
  }
  return { index, accounts, inFlight: new InFlightSpend() }
}

const campaignChange = (shop: Shop, pacing: CampaignState['pacing']): ChangeData => ({
  kind: 'campaign',
  id: shop.id,
  sequence: '1',
  state: {
    id: shop.id,
    merchantId: shop.id,
    name: shop.id,
    status: 'active',
    pricing: 'cpc',
    bidMicros: shop.bidMicros.toString(),
    budgetDailyMicros: shop.budgetMicros.toString(),
    budgetWeeklyMicros: null,
    budgetMonthlyMicros: null,
    budgetTotalMicros: null,
    startsAt: null,
    endsAt: null,
    timeZone: null,
    dayparts: [],
    pacing,
    targeting: NO_TARGETING,
    placements: [],
    targetRoas: null,
    frequencyCap: null,
    ads: [{ id: shop.id, listingId: shop.id }],
    version: 1,
  },
})

/** What the budget feed does with a view: the new spend is known, and so much less is in flight. */
function readViews(
  { accounts, inFlight }: AdProcess,
  news: ReadonlySet<Shop> | undefined,
  day: string,
  nowMs: number,
  holding: Holding,
): void {
  if (!news) return
  inFlight.advance(nowMs)
  for (const shop of news) {
    const account = accounts.campaign(shop.id)
    const spend: CampaignSpend = {
      day,
      spentDayMicros: shop.spentDayMicros,
      spentWeekMicros: 0n,
      spentMonthMicros: 0n,
      spentTotalMicros: shop.spentTotalMicros,
    }
    if (holding !== 'nothing') {
      inFlight.settle(account, spend.spentTotalMicros - (account.spend?.spentTotalMicros ?? 0n))
    }
    account.spend = spend
  }
}

/** What the in-flight exchange does: each process learns what the others hold. `accounts`: of one campaign in each process. */
function exchange(campaigns: readonly (readonly Holder[])[]): void {
  for (const accounts of campaigns) {
    const sum = accounts.reduce((total, account) => total + account.heldMicros, 0n)
    for (const account of accounts) account.heldElsewhereMicros = sum - account.heldMicros
  }
}
