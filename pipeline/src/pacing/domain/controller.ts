import { type Micros, STARTING_MULTIPLIER } from '@endcap/contracts'

/** The control step: how often the job runs. */
export const STEP_MS = 10_000
/** The multiplier moves at most this much a step [Mystique, Yahoo's public budget pacing simulator]. */
export const MAX_MOVE = 0.025
/** The error from which a step is as large as it may be; below it steps are in proportion [Mystique]. */
export const FULL_MOVE_ERROR = 0.25
/** Errors are measured against at least this share of the day's allowance: at night the target is next to nothing. */
const LEAST_TARGET_SHARE = 0.01
/** The least multiplier where no reserve sets it higher: below, the pass-through gate takes over. */
export const LEAST_MULTIPLIER = 0.05
/** The pass-through gate never lets fewer auctions through: who takes part in none learns nothing. */
export const LEAST_PASS_THROUGH = 0.01
/** How far ahead the present rate of spending is believed. */
export const HORIZON_MS = 900_000
/** Time constant of the smoothed rate of spending. */
export const RATE_MEMORY_MS = 600_000
/** A campaign that was stepped this shortly before its day began has been under control from the day's first instant. */
const CONTINUITY_MS = 600_000

/** What the controller remembers of one campaign between steps. */
export interface PacingState {
  readonly day: string
  /** What the day may cost; a change of it begins the target anew from what is spent. */
  readonly allowanceMicros: Micros
  /** Where the target begins: the share of the day's curve gone by then, and what was spent by then. */
  readonly originShare: number
  readonly originSpentMicros: Micros
  /** 0…1. */
  readonly multiplier: number
  /** 0.01…1; below 1 only while the multiplier is at its floor. */
  readonly passThrough: number
  /** Spent and in flight at the last step, and the smoothed rate of it, in micros per second. */
  readonly positionMicros: Micros
  readonly rateMicrosPerSecond: number
  readonly steppedAtMs: number
}

/** What is known of one campaign at a step. */
export interface PacingReading {
  readonly nowMs: number
  /** The merchant's budget day. */
  readonly day: string
  /** What the day may cost by all of the campaign's limits. */
  readonly allowanceMicros: Micros
  readonly spentMicros: Micros
  /** Sold but not yet counted by billing: never what is in `spentMicros` already. */
  readonly inFlightMicros: Micros
  /** Share of the day's forecast traffic within the campaign's hours that has gone by, 0…1. */
  readonly share: number
  /** The same at `aheadMs` from now, at most `HORIZON_MS`. */
  readonly shareAhead: number
  readonly aheadMs: number
  /** Whether the campaign could serve now: within its hours, with money in the wallet. */
  readonly serves: boolean
  /** The least multiplier that still buys anything, such as reserve ÷ bid. */
  readonly floor: number
}

/** The target at a share of the day: the day's allowance × the share of the forecast traffic gone by since control began. */
export function targetAt(
  state: Pick<PacingState, 'allowanceMicros' | 'originShare' | 'originSpentMicros'>,
  share: number,
): number {
  const rest = 1 - state.originShare
  const gone = rest <= 0 ? 1 : Math.min(1, Math.max(0, (share - state.originShare) / rest))
  const origin = Number(state.originSpentMicros)
  return origin + (Number(state.allowanceMicros) - origin) * gone
}

/** How far spending is behind (above 0) or ahead (below 0) of the target, relative to it. */
export function pacingError(targetMicros: number, positionMicros: number, allowanceMicros: number): number {
  const scale = Math.max(targetMicros, LEAST_TARGET_SHARE * allowanceMicros)
  return scale <= 0 ? 0 : (targetMicros - positionMicros) / scale
}

/**
 * One control step of one campaign.
 *
 * `err = (target − spent − in flight) / max(target, 1 % of the allowance)`; the multiplier moves towards the target by at most
 * `0.025 × min(1, |err| / 0.25)` [Mystique]. Within that, it moves by no more than the error that is left at the horizon
 * if spending goes on as it does: an error that is mending by itself needs no push, and so the loop does not swing. At its floor
 * the pass-through gate goes on in the multiplier's place. Nothing moves while the campaign could not spend anyway:
 * its money is gone, or it is outside its hours.
 */
export function stepPacing(before: PacingState | undefined, reading: PacingReading): PacingState {
  const state = originOf(before, reading)
  const { spentMicros, inFlightMicros, allowanceMicros, nowMs } = reading
  const positionMicros = spentMicros + inFlightMicros
  if (!reading.serves || positionMicros >= allowanceMicros) {
    return { ...state, positionMicros, rateMicrosPerSecond: 0, steppedAtMs: nowMs }
  }
  const rateMicrosPerSecond = smoothedRate(state, positionMicros, nowMs)
  const position = Number(positionMicros)
  const allowance = Number(allowanceMicros)
  const target = targetAt(state, reading.share)
  const err = pacingError(target, position, allowance)
  const limit = MAX_MOVE * Math.min(1, Math.abs(err) / FULL_MOVE_ERROR)
  const positionAhead = position + (rateMicrosPerSecond * reading.aheadMs) / 1000
  const errAhead =
    (targetAt(state, reading.shareAhead) - positionAhead) / Math.max(target, LEAST_TARGET_SHARE * allowance)
  const push = (MAX_MOVE / FULL_MOVE_ERROR) * errAhead
  const move = err >= 0 ? Math.min(limit, Math.max(0, push)) : Math.max(-limit, Math.min(0, push))
  return {
    ...state,
    ...moved(state, move, reading.floor),
    positionMicros,
    rateMicrosPerSecond,
    steppedAtMs: nowMs,
  }
}

/** The state that this step starts from: a new campaign, a new day and a new allowance each begin the target anew. */
function originOf(before: PacingState | undefined, reading: PacingReading): PacingState {
  const { day, allowanceMicros, spentMicros, nowMs, share } = reading
  if (before?.day === day && before.allowanceMicros === allowanceMicros) return before
  const dayBegan = before !== undefined && before.day !== day && nowMs - before.steppedAtMs <= CONTINUITY_MS
  return {
    day,
    allowanceMicros,
    originShare: dayBegan ? 0 : share,
    originSpentMicros: dayBegan ? 0n : spentMicros < allowanceMicros ? spentMicros : allowanceMicros,
    multiplier: before?.multiplier ?? STARTING_MULTIPLIER,
    passThrough: before?.passThrough ?? 1,
    // Of another day: what was spent then is no spending since.
    positionMicros: before?.day === day ? before.positionMicros : spentMicros + reading.inFlightMicros,
    rateMicrosPerSecond: before?.rateMicrosPerSecond ?? 0,
    steppedAtMs: before?.steppedAtMs ?? nowMs,
  }
}

function smoothedRate(state: PacingState, positionMicros: Micros, nowMs: number): number {
  const elapsedMs = nowMs - state.steppedAtMs
  if (elapsedMs <= 0) return state.rateMicrosPerSecond
  const keep = Math.exp(-elapsedMs / RATE_MEMORY_MS)
  const rate = (Number(positionMicros - state.positionMicros) / elapsedMs) * 1000
  return keep * state.rateMicrosPerSecond + (1 - keep) * rate
}

/** Down: first the multiplier to its floor, then the gate. Up: first the gate, then the multiplier. */
function moved(
  { multiplier, passThrough }: PacingState,
  move: number,
  givenFloor: number,
): Pick<PacingState, 'multiplier' | 'passThrough'> {
  const floor = Math.min(1, Math.max(LEAST_MULTIPLIER, givenFloor))
  if (multiplier > floor || (passThrough >= 1 && move > 0)) {
    return { multiplier: Math.min(1, Math.max(floor, multiplier + move)), passThrough: 1 }
  }
  return {
    // A bid or reserve that changed may have moved the floor under it.
    multiplier: floor,
    passThrough: Math.min(1, Math.max(LEAST_PASS_THROUGH, passThrough + move)),
  }
}
