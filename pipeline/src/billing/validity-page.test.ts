import { readFile } from 'node:fs/promises'
import { CHARGE_REASONS } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import {
  CLICK_AT_LEAST_MS,
  CLICK_VALID_MS,
  CLICK_WAIT_MS,
  CLOCK_SKEW_MS,
  IMPRESSION_VALID_MS,
} from './domain/validity.js'

const page = await readFile(new URL('../../../docs/validity.md', import.meta.url), 'utf8')
const row = (reason: string): string | undefined =>
  page.split('\n').find((line) => line.startsWith(`| \`${reason}\` |`))

describe('docs/validity.md', () => {
  it('names every reason that billing records, and no other', () => {
    const named = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, reason]) => reason)
    const limits = [...page.matchAll(/`(over_[a-z_]+)`/g)].map(([, reason]) => reason)
    expect(new Set([...named, ...limits])).toEqual(new Set(CHARGE_REASONS.filter((reason) => reason !== '')))
  })

  it('gives the periods that billing goes by', () => {
    const [hour, minute] = [3_600_000, 60_000]
    expect(row('stale')).toContain(`an impression ${IMPRESSION_VALID_MS / hour} h after`)
    expect(row('stale')).toContain(`a click ${CLICK_VALID_MS / hour} h after`)
    expect(row('stale')).toContain(`more than ${CLOCK_SKEW_MS / minute} min before`)
    expect(row('no_impression')).toContain(`within ${CLICK_WAIT_MS / minute} min`)
    expect(row('too_fast')).toContain(`less than ${CLICK_AT_LEAST_MS} ms`)
  })
})
