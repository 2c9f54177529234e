import {
  budgetDayBounds,
  budgetMonthOf,
  budgetWeekOf,
  type Clock,
  IN_FLIGHT_KEY,
  inFlightView,
  leastReserve,
  type Micros,
  PACING_VIEW_KEY,
  type RulesState,
} from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { Logger } from '@endcap/platform/logging'
import type { Postgres } from '@endcap/platform/postgres'
import type { StateStore } from '@endcap/platform/state-store'
import { findRules } from '@endcap/storage/postgres'
import { type BudgetSpend, dayAllowance } from './domain/allowance.js'
import { HORIZON_MS, type PacingState, STEP_MS, stepPacing } from './domain/controller.js'
import { type DayPlan, planDay, type ServingHours, servesAt } from './domain/day-plan.js'
import { FLAT_CURVE, learnTrafficCurve, type TrafficCurve } from './domain/traffic-curve.js'
import {
  activeCampaigns,
  activeSpend,
  type PacedCampaign,
  type StoredPacing,
  writeStates,
} from './store/pacing-store.js'
import { trafficCounts } from './store/traffic-counts.js'

export interface StepCampaignsDeps {
  readonly postgres: Postgres
  /** Where traffic is learned. */
  readonly clickhouse: Pick<ClickHouse, 'query'>
  readonly state: StateStore
  readonly clock: Clock
  readonly logger: Logger
}

const DAY_MS = 86_400_000
/** Four of each weekday, and the first day, which is left out. */
const HISTORY_DAYS = 29
const LEARN_EVERY_MS = 3_600_000
/** Processes take turns in leading: none steps a campaign again this soon after another. */
const LEAST_STEP_MS = 0.9 * STEP_MS
/** Digits of the published multiplier. */
const VIEW_DIGITS = 6
const FIELDS_PER_WRITE = 1000

/**
 * Makes the step that reads spend and spend in flight, moves every active campaign's multiplier and gate, stores where the controller is
 * and publishes it to the ad-servers. All that it remembers from call to call is a cache: another process may do the next step.
 */
export function createStepCampaigns(deps: StepCampaignsDeps) {
  const { postgres, clickhouse, state, clock, logger } = deps
  let curve: TrafficCurve = FLAT_CURVE
  let learnedAtMs = Number.NEGATIVE_INFINITY
  let lastInFlight: ReadonlyMap<string, string> = new Map()
  let plans = new Map<string, DayPlan>()

  return async function stepCampaigns(): Promise<readonly StoredPacing[]> {
    const nowMs = clock()
    if (nowMs - learnedAtMs >= LEARN_EVERY_MS) await learn(nowMs)
    const campaigns = await activeCampaigns(postgres)
    const rules = await findRules(postgres)
    const inFlight = await readInFlight()
    const days = daysNow(nowMs)
    const spend = await activeSpend(postgres, [
      'total',
      ...new Set(days.flatMap((day) => [day, budgetWeekOf(day), budgetMonthOf(day)])),
    ])
    const boundsOf = createBoundsLookup(nowMs)
    const used = new Map<string, DayPlan>()
    const stepped = campaigns.map((campaign): StoredPacing => {
      const bounds = boundsOf(campaign.merchantZone)
      const { day } = bounds
      const key = `${campaign.id}/${campaign.version}/${day}/${campaign.merchantZone}`
      const hours = hoursOf(campaign)
      const plan = plans.get(key) ?? planDay(bounds, hours, campaign.placements, curve)
      used.set(key, plan)
      const spent: BudgetSpend = {
        dayMicros: spend(campaign.id, day),
        weekMicros: spend(campaign.id, budgetWeekOf(day)),
        monthMicros: spend(campaign.id, budgetMonthOf(day)),
        totalMicros: spend(campaign.id, 'total'),
      }
      const inFlightMicros = inFlight.get(campaign.id) ?? 0n
      const share = plan.shareAt(nowMs)
      const allowanceMicros = allowanceOf(campaign, spent, day, hours)
      if (allowanceMicros === undefined) return unpaced(campaign.id, day, share, spent.dayMicros, nowMs)
      if (campaign.state && nowMs - campaign.state.steppedAtMs < LEAST_STEP_MS) {
        return { ...campaign.state, campaignId: campaign.id, share }
      }
      const aheadMs = Math.min(HORIZON_MS, bounds.endMs - nowMs)
      const next: PacingState = stepPacing(campaign.state, {
        nowMs,
        day,
        allowanceMicros,
        spentMicros: spent.dayMicros,
        inFlightMicros,
        share,
        shareAhead: plan.shareAt(nowMs + aheadMs),
        aheadMs,
        serves: servesAt(nowMs, hours) && campaign.walletMicros > 0n,
        floor: floorOf(campaign, rules),
      })
      return { ...next, campaignId: campaign.id, share }
    })
    plans = used
    await writeStates(postgres, stepped)
    await publish(new Set(campaigns.filter(({ pacing }) => pacing === 'even').map(({ id }) => id)), stepped)
    return stepped
  }

  /** While ClickHouse is away the last curve holds, and at first a flat one. */
  async function learn(nowMs: number): Promise<void> {
    const today = Math.floor(nowMs / DAY_MS) * DAY_MS
    try {
      const range = { fromMs: today - HISTORY_DAYS * DAY_MS, toMs: today }
      curve = learnTrafficCurve(await clickhouse.query(trafficCounts, range))
      learnedAtMs = nowMs
    } catch (error) {
      logger.warn({ err: error }, 'traffic could not be learned; pacing goes on with what it knew')
    }
  }

  /** By campaign, over all ad-server processes. A field that has stood still since the last step is of a process that is gone. */
  async function readInFlight(): Promise<ReadonlyMap<string, Micros>> {
    const fields = await state.hashGetAll(IN_FLIGHT_KEY)
    const sums = new Map<string, Micros>()
    for (const [id, text] of fields) {
      if (lastInFlight.get(id) === text) continue
      for (const [campaignId, micros] of Object.entries(inFlightView.parse(JSON.parse(text)).campaigns)) {
        sums.set(campaignId, (sums.get(campaignId) ?? 0n) + BigInt(micros))
      }
    }
    lastInFlight = fields
    return sums
  }

  async function publish(even: ReadonlySet<string>, states: readonly StoredPacing[]): Promise<void> {
    const present = await state.hashGetAll(PACING_VIEW_KEY)
    const changed = states.flatMap(({ campaignId, multiplier, passThrough }): [string, string][] => {
      if (!even.has(campaignId)) return []
      const view = { multiplier: rounded(multiplier), passThrough: rounded(passThrough) }
      const text = JSON.stringify(view)
      return present.get(campaignId) === text ? [] : [[campaignId, text]]
    })
    for (let start = 0; start < changed.length; start += FIELDS_PER_WRITE) {
      await state.hashSet(PACING_VIEW_KEY, Object.fromEntries(changed.slice(start, start + FIELDS_PER_WRITE)))
    }
    await state.hashDelete(
      PACING_VIEW_KEY,
      [...present.keys()].filter((id) => !even.has(id)),
    )
  }
}

/** Even pacing needs a limit to spread; undefined: the campaign spends as fast as it can. */
function allowanceOf(
  campaign: PacedCampaign,
  spent: BudgetSpend,
  day: string,
  hours: ServingHours,
): Micros | undefined {
  if (campaign.pacing === 'asap') return undefined
  const limits = {
    dailyMicros: campaign.budgetDailyMicros ?? undefined,
    weeklyMicros: campaign.budgetWeeklyMicros ?? undefined,
    monthlyMicros: campaign.budgetMonthlyMicros ?? undefined,
    totalMicros: campaign.budgetTotalMicros ?? undefined,
  }
  return dayAllowance(limits, spent, day, hours, campaign.merchantZone)
}

const unpaced = (
  campaignId: string,
  day: string,
  share: number,
  spentMicros: Micros,
  nowMs: number,
): StoredPacing => ({
  campaignId,
  day,
  share,
  allowanceMicros: null,
  originShare: 0,
  originSpentMicros: 0n,
  multiplier: 1,
  passThrough: 1,
  positionMicros: spentMicros,
  rateMicrosPerSecond: 0,
  steppedAtMs: nowMs,
})

const hoursOf = (campaign: PacedCampaign): ServingHours => ({
  startsAtMs: campaign.startsAt?.getTime() ?? Number.NEGATIVE_INFINITY,
  endsAtMs: campaign.endsAt?.getTime() ?? Number.POSITIVE_INFINITY,
  dayparts: campaign.dayparts,
  timeZone: campaign.timeZone ?? campaign.merchantZone,
})

/** Below reserve ÷ bid a bid buys nothing: there the gate has to do what a lower bid cannot. */
const floorOf = (campaign: PacedCampaign, rules: RulesState): number =>
  Number(leastReserve(rules, campaign)) / Number(campaign.bidMicros)

/** The days that are today somewhere on earth. */
const daysNow = (nowMs: number): readonly string[] =>
  [-DAY_MS, 0, DAY_MS].map((shift) => new Date(nowMs + shift).toISOString().slice(0, 10))

function createBoundsLookup(nowMs: number) {
  const known = new Map<string, ReturnType<typeof budgetDayBounds>>()
  return (zone: string) => {
    const bounds = known.get(zone) ?? budgetDayBounds(nowMs, zone)
    known.set(zone, bounds)
    return bounds
  }
}

const rounded = (value: number): number => Number(value.toFixed(VIEW_DIGITS))
