import { readFileSync } from 'node:fs'
import { CHARGE_REASONS, SUSPICIONS } from '@endcap/contracts'
import { VARIABLES } from '@endcap/platform/config'
import { expect, it } from 'vitest'
import { TICK_AFTER_MS } from '../write-ticks.js'
import {
  CLICK_AT_LEAST_MS,
  CLICK_VALID_MS,
  CLICK_WAIT_MS,
  CLOCK_SKEW_MS,
  IMPRESSION_VALID_MS,
} from './validity.js'

const page = readFileSync(new URL('../../../../docs/validity.md', import.meta.url), 'utf8')
const rules = [...page.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map(([, reason, because]) => ({
  reason: reason!,
  because: because!,
}))
const because = (reason: string) => rules.find((rule) => rule.reason === reason)!.because
const HOUR = 3_600_000
const MINUTE = 60_000

it('docs/validity.md has every reason once, suspicions and limits in the order in which they are named', () => {
  const reasons = rules.map(({ reason }) => reason)
  expect([...reasons].sort()).toEqual(CHARGE_REASONS.filter((reason) => reason !== '').sort())
  expect(reasons.slice(0, 1 + SUSPICIONS.length)).toEqual(['token_invalid', ...SUSPICIONS])
  expect(reasons.filter((reason) => reason.startsWith('over_'))).toEqual(
    CHARGE_REASONS.filter((reason) => reason.startsWith('over_')),
  )
})

it('docs/validity.md says the times that the code keeps', () => {
  expect(because('stale')).toContain(
    `${IMPRESSION_VALID_MS / HOUR} h old (impression) or ${CLICK_VALID_MS / HOUR} h old (click)`,
  )
  expect(because('stale')).toContain(`more than ${CLOCK_SKEW_MS / MINUTE} min before`)
  expect(because('no_impression')).toContain(`${CLICK_WAIT_MS / MINUTE} min`)
  expect(page).toContain(`A minute after a click's ${CLICK_WAIT_MS / MINUTE} min are over`)
  expect(TICK_AFTER_MS).toBe(MINUTE)
  expect(because('too_fast')).toContain(`${CLICK_AT_LEAST_MS} ms`)
  expect(VARIABLES.ENDCAP_CLICK_LIMITS.fallback).toBe('1/1m,3/10m,10/1h,25/1d')
  expect(because('address_rate')).toContain('1 a minute, 3 in 10 minutes, 10 an hour or 25 a day')
})
