import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  LEAST_MULTIPLIER,
  LEAST_PASS_THROUGH,
  MAX_MOVE,
  type PacingReading,
  type PacingState,
  pacingError,
  STEP_MS,
  stepPacing,
} from './controller.js'

const DAY = '2026-01-05'
const NOON = Date.parse('2026-01-05T12:00:00Z')
const BUDGET = 100_000_000n

const stateOf = (over: Partial<PacingState> = {}): PacingState => ({
  day: DAY,
  allowanceMicros: BUDGET,
  originShare: 0,
  originSpentMicros: 0n,
  multiplier: 0.5,
  passThrough: 1,
  positionMicros: over.positionMicros ?? 50_000_000n,
  rateMicrosPerSecond: 0,
  steppedAtMs: NOON - STEP_MS,
  ...over,
})
const readingOf = (over: Partial<PacingReading> = {}): PacingReading => ({
  nowMs: NOON,
  day: DAY,
  allowanceMicros: BUDGET,
  spentMicros: 50_000_000n,
  inFlightMicros: 0n,
  share: 0.5,
  shareAhead: 0.5,
  aheadMs: 0,
  serves: true,
  floor: 0,
  ...over,
})
const moveOf = (reading: Partial<PacingReading>, state: Partial<PacingState> = {}): number => {
  const before = stateOf(state)
  return stepPacing(before, readingOf(reading)).multiplier - before.multiplier
}

describe('a control step', () => {
  it('moves by 0.025 × min(1, |err| / 0.25) towards the target', () => {
    expect(moveOf({ spentMicros: 45_000_000n })).toBeCloseTo(0.025 * (0.1 / 0.25), 10)
    expect(moveOf({ spentMicros: 55_000_000n })).toBeCloseTo(-0.025 * (0.1 / 0.25), 10)
    expect(moveOf({ spentMicros: 10_000_000n })).toBeCloseTo(0.025, 10)
    expect(moveOf({ spentMicros: 90_000_000n })).toBeCloseTo(-0.025, 10)
    expect(moveOf({ spentMicros: 50_000_000n })).toBe(0)
  })

  it('counts what is in flight like what is spent, and neither twice', () => {
    expect(moveOf({ spentMicros: 40_000_000n, inFlightMicros: 10_000_000n })).toBe(0)
    expect(moveOf({ spentMicros: 50_000_000n, inFlightMicros: 0n })).toBe(0)
  })

  it('measures errors at night against 1 % of the allowance, not against a target of next to nothing', () => {
    expect(pacingError(1, 100_000, 100_000_000)).toBeCloseTo(-0.1, 4)
    expect(pacingError(0, 0, 100_000_000)).toBe(0)
    expect(pacingError(0, 0, 0)).toBe(0)
    expect(moveOf({ share: 1e-9, shareAhead: 1e-9, spentMicros: 100_000n })).toBeCloseTo(-0.01, 3)
  })

  it('does not push where the present rate of spending mends the error by itself', () => {
    const share = { share: 0.5, shareAhead: 0.51, aheadMs: 900_000, spentMicros: 49_000_000n }
    const mending = (2_000_000 / 900_000) * 1000
    const position = { positionMicros: 49_000_000n }
    expect(moveOf(share, { ...position, rateMicrosPerSecond: mending * 1.2 })).toBe(0)
    expect(moveOf(share, { ...position, rateMicrosPerSecond: 0 })).toBeGreaterThan(0)
  })

  it('is frozen when the money is gone or all in flight, outside the hours and with an empty wallet', () => {
    for (const reading of [
      { spentMicros: BUDGET },
      { spentMicros: BUDGET - 5n, inFlightMicros: 5n },
      { spentMicros: BUDGET + 1n },
      { spentMicros: 0n, serves: false },
    ]) {
      expect(stepPacing(stateOf(), readingOf(reading))).toMatchObject({ multiplier: 0.5, passThrough: 1 })
    }
  })

  it('goes through the gate only with the multiplier at its floor, and first opens the gate again', () => {
    const over = { spentMicros: 90_000_000n }
    const under = { spentMicros: 10_000_000n }
    let state = stateOf({ multiplier: 0.06 })
    state = stepPacing(state, readingOf(over))
    expect(state).toMatchObject({ multiplier: LEAST_MULTIPLIER, passThrough: 1 })
    for (let i = 0; i < 100; i++) state = stepPacing(state, readingOf(over))
    expect(state).toMatchObject({ multiplier: LEAST_MULTIPLIER, passThrough: LEAST_PASS_THROUGH })
    state = stepPacing(state, readingOf(under))
    expect(state.multiplier).toBe(LEAST_MULTIPLIER)
    expect(state.passThrough).toBeCloseTo(LEAST_PASS_THROUGH + MAX_MOVE, 10)
    for (let i = 0; i < 60; i++) state = stepPacing(state, readingOf(under))
    expect(state.passThrough).toBe(1)
    expect(state.multiplier).toBeGreaterThan(LEAST_MULTIPLIER)
  })

  it('has its floor where the bid meets the reserve', () => {
    let state = stateOf()
    for (let i = 0; i < 30; i++)
      state = stepPacing(state, readingOf({ spentMicros: 90_000_000n, floor: 0.4 }))
    expect(state.multiplier).toBe(0.4)
    expect(state.passThrough).toBeLessThan(1)
  })
})

describe('the beginning of a target', () => {
  it('is the present for a campaign made in the middle of the day: its budget is for the rest of the day', () => {
    const first = stepPacing(undefined, readingOf({ spentMicros: 0n, share: 0.6 }))
    expect(first).toMatchObject({ originShare: 0.6, originSpentMicros: 0n, multiplier: 0.1 })
    const halfOfTheRest = { spentMicros: 50_000_000n, share: 0.8, shareAhead: 0.8 }
    const next = stepPacing(
      { ...first, positionMicros: 50_000_000n },
      readingOf({ ...halfOfTheRest, nowMs: NOON + STEP_MS }),
    )
    expect(next.multiplier).toBeCloseTo(first.multiplier, 10)
  })

  it('is the day’s first instant when the day changes under control, and the multiplier stays', () => {
    const before = stateOf({ day: '2026-01-04', steppedAtMs: NOON - STEP_MS, multiplier: 0.3 })
    const after = stepPacing(before, readingOf({ share: 0.0001, shareAhead: 0.0001, spentMicros: 0n }))
    expect(after).toMatchObject({ day: DAY, originShare: 0, originSpentMicros: 0n })
    expect(after.multiplier).toBeCloseTo(0.3, 2)
  })

  it('is the present after control was away over midnight, from what is spent by then', () => {
    const before = stateOf({ day: '2026-01-04', steppedAtMs: NOON - 8 * 3_600_000 })
    expect(stepPacing(before, readingOf({ spentMicros: 70_000_000n }))).toMatchObject({
      originShare: 0.5,
      originSpentMicros: 70_000_000n,
      multiplier: before.multiplier,
    })
  })

  it('is the present when the budget is raised: the rest of the day gets the difference, without a jump', () => {
    const raised = readingOf({ allowanceMicros: 2n * BUDGET })
    const after = stepPacing(stateOf(), raised)
    expect(after).toMatchObject({ originShare: 0.5, originSpentMicros: 50_000_000n, multiplier: 0.5 })
    const later = {
      ...raised,
      share: 0.75,
      shareAhead: 0.75,
      spentMicros: 125_000_000n,
      nowMs: NOON + STEP_MS,
    }
    expect(stepPacing({ ...after, positionMicros: 125_000_000n }, later).multiplier).toBeCloseTo(0.5, 10)
  })
})

const amount = fc.bigInt({ min: 0n, max: 10n ** 13n })
const unit = fc.double({ min: 0, max: 1, noNaN: true })
const anyStep = fc.record({
  budget: amount,
  spent: amount,
  more: amount,
  inFlight: amount,
  shares: fc.tuple(unit, unit),
  multiplier: unit,
  passThrough: fc.double({ min: 0.01, max: 1, noNaN: true }),
  rate: fc.double({ min: -1e6, max: 1e9, noNaN: true }),
  origin: unit,
  floor: fc.double({ min: 0, max: 3, noNaN: true }),
})

describe('any step', () => {
  const run = (step: typeof anyStep extends fc.Arbitrary<infer T> ? T : never, spent: bigint) => {
    const [a, b] = step.shares
    const state = stateOf({
      allowanceMicros: step.budget,
      multiplier: step.multiplier,
      passThrough: step.passThrough,
      rateMicrosPerSecond: step.rate,
      originShare: step.origin,
      positionMicros: step.spent,
    })
    const after = stepPacing(
      state,
      readingOf({
        allowanceMicros: step.budget,
        spentMicros: spent,
        inFlightMicros: step.inFlight,
        share: Math.min(a, b),
        shareAhead: Math.max(a, b),
        aheadMs: 900_000,
        floor: step.floor,
      }),
    )
    return { state, after }
  }

  it('stays within its bounds and is never NaN, whatever it is told', () => {
    fc.assert(
      fc.property(anyStep, (step) => {
        const { after } = run(step, step.spent)
        expect(after.multiplier >= 0 && after.multiplier <= 1).toBe(true)
        expect(after.passThrough >= LEAST_PASS_THROUGH && after.passThrough <= 1).toBe(true)
      }),
      { numRuns: 2000, seed: 11 },
    )
  })

  it('moves multiplier and gate by no more than 0.025, but up to a floor that has risen', () => {
    fc.assert(
      fc.property(anyStep, (step) => {
        const { state, after } = run(step, step.spent)
        const floor = Math.min(1, Math.max(LEAST_MULTIPLIER, step.floor))
        if (state.multiplier >= floor) {
          expect(Math.abs(after.multiplier - state.multiplier)).toBeLessThanOrEqual(MAX_MOVE + 1e-12)
        }
        if (state.multiplier <= floor) {
          expect(Math.abs(after.passThrough - state.passThrough)).toBeLessThanOrEqual(MAX_MOVE + 1e-12)
        }
      }),
      { numRuns: 2000, seed: 12 },
    )
  })

  it('never answers more spending with a higher bid', () => {
    fc.assert(
      fc.property(anyStep, (step) => {
        const less = run(step, step.spent)
        const more = run(step, step.spent + step.more)
        const frozen = step.spent + step.more + step.inFlight >= step.budget
        if (frozen) return
        expect(more.after.multiplier).toBeLessThanOrEqual(less.after.multiplier + 1e-12)
        expect(more.after.passThrough).toBeLessThanOrEqual(less.after.passThrough + 1e-12)
      }),
      { numRuns: 2000, seed: 13 },
    )
  })
})

describe('a simulated day', () => {
  /** A campaign whose spend is `demand` × multiplier^elasticity × traffic, its traffic known. */
  const runDay = (demand: number, elasticity: number, startAt: number) => {
    const dayMs = 86_400_000
    const start = Date.parse(`${DAY}T00:00:00Z`)
    const shareAt = (x: number) => x - (0.75 / (2 * Math.PI)) * Math.sin(2 * Math.PI * Math.min(1, x))
    let state = stateOf({ multiplier: startAt, positionMicros: 0n, steppedAtMs: start - STEP_MS })
    let spent = 0
    const multipliers: number[] = []
    let exhaustedMs = dayMs
    for (let ms = 0; ms < dayMs; ms += STEP_MS) {
      const share = shareAt(ms / dayMs)
      const next = shareAt((ms + STEP_MS) / dayMs)
      state = stepPacing(
        state,
        readingOf({
          nowMs: start + ms,
          spentMicros: BigInt(Math.round(spent)),
          share,
          shareAhead: shareAt(Math.min(dayMs, ms + 900_000) / dayMs),
          aheadMs: Math.min(900_000, dayMs - ms),
        }),
      )
      multipliers.push(state.multiplier)
      spent = Math.min(
        Number(BUDGET),
        spent + Number(BUDGET) * demand * state.passThrough * state.multiplier ** elasticity * (next - share),
      )
      if (spent >= 0.995 * Number(BUDGET)) exhaustedMs = Math.min(exhaustedMs, ms)
    }
    return { used: spent / Number(BUDGET), multipliers, minutesAlive: exhaustedMs / 60_000 }
  }

  it.each([
    [2, 1],
    [5, 2],
    [20, 2],
    [200, 2.5],
  ])(
    'with %i budgets of demand at elasticity %d, all is spent by the end and none long before it',
    (demand, elasticity) => {
      const { used, multipliers, minutesAlive } = runDay(demand, elasticity, 0.5)
      expect(used).toBeGreaterThan(0.97)
      expect(minutesAlive).toBeGreaterThan(1400)
      const settled = multipliers.slice(Math.floor(multipliers.length / 3), -60)
      // Swings around its level stay within one step or an eighth of it.
      const mean = settled.reduce((sum, m) => sum + m, 0) / settled.length
      const swing = Math.max(...settled.map((m) => Math.abs(m - mean)))
      expect(swing).toBeLessThan(Math.max(MAX_MOVE, mean / 8))
    },
  )

  it('with less demand than budget it bids in full', () => {
    const { multipliers } = runDay(0.5, 1, 0.2)
    expect(multipliers.at(-1)).toBe(1)
  })
})
