import { readFileSync } from 'node:fs'
import { parseMoney } from '@endcap/contracts'
import { expect, it } from 'vitest'
import {
  FULL_MOVE_ERROR,
  HORIZON_MS,
  LEAST_MULTIPLIER,
  LEAST_PASS_THROUGH,
  MAX_MOVE,
  pacingError,
  RATE_MEMORY_MS,
  STEP_MS,
  stepPacing,
  targetAt,
} from './domain/controller.js'

const page = readFileSync(new URL('../../../docs/pacing.md', import.meta.url), 'utf8')
const examples = page
  .slice(page.indexOf('## Worked examples'))
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  ) as [string, ...string[]][]

it('the page has its examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(6)
})

it.each(examples)(
  'docs/pacing.md, %s',
  (_, allowance, share, spent, inFlight, before, target, err, after) => {
    const nowMs = Date.parse('2026-01-05T12:00:00Z')
    const allowanceMicros = parseMoney(allowance!)
    const [spentMicros, inFlightMicros] = [parseMoney(spent!), parseMoney(inFlight!)]
    const state = {
      day: '2026-01-05',
      allowanceMicros,
      originShare: 0,
      originSpentMicros: 0n,
      multiplier: Number(before),
      passThrough: 1,
      positionMicros: spentMicros + inFlightMicros,
      rateMicrosPerSecond: 0,
      steppedAtMs: nowMs - STEP_MS,
    }
    const targetMicros = targetAt(state, Number(share))
    expect(targetMicros).toBeCloseTo(Number(target) * 1e6, 0)
    const positionMicros = Number(spentMicros + inFlightMicros)
    expect(pacingError(targetMicros, positionMicros, Number(allowanceMicros))).toBeCloseTo(Number(err), 9)
    const next = stepPacing(state, {
      nowMs,
      day: state.day,
      allowanceMicros,
      spentMicros,
      inFlightMicros,
      share: Number(share),
      shareAhead: Number(share),
      aheadMs: 0,
      serves: true,
      floor: 0,
    })
    expect(next.multiplier).toBeCloseTo(Number(after), 9)
  },
)

it('the constants on the page are those of the code', () => {
  expect(page).toContain(`| step | ${STEP_MS / 1000} s |`)
  expect(page).toContain(`| largest step | ${MAX_MOVE}, from an error of ${100 * FULL_MOVE_ERROR} % |`)
  expect(page).toContain(`| floor of the multiplier | ${LEAST_MULTIPLIER}, or`)
  expect(page).toContain(`| gate | ${100 * LEAST_PASS_THROUGH} % … 100 % of auctions |`)
  expect(page).toContain(`${HORIZON_MS / 60_000} min, ${RATE_MEMORY_MS / 60_000} min`)
})
