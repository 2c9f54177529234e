import { parseMoney } from '@endcap/contracts'
import type { AuctionCase } from './case-schema.js'
import type { CaseResult } from './run-case.js'

const SCORE_TOLERANCE = 1e-9

type Expectation = AuctionCase['expect']

/**
 * Where a result is not what its case expects, a sentence each. Slots must be the same, all of them; outcomes are looked up by
 * listing and campaign, and those that the case does not mention are free. Fields that the case leaves out are free too.
 */
export function differencesOf(
  expected: Expectation,
  { slots, outcomes, rules }: Omit<CaseResult, 'differences'>,
): string[] {
  const differences: string[] = expected?.rules ? fieldsOf('rules', expected.rules, { ...rules }) : []
  if (expected?.slots) {
    if (expected.slots.length !== slots.length) {
      differences.push(`slots: expected ${expected.slots.length}, got ${slots.length}`)
    }
    expected.slots.forEach((slot, i) => {
      const got = slots[i]
      if (got) differences.push(...fieldsOf(`slots[${i}]`, slot, { ...got }))
    })
  }
  for (const outcome of expected?.outcomes ?? []) {
    const where = `outcome of ${outcome.listingId} in ${outcome.campaignId}`
    const got = outcomes.find(
      ({ listingId, campaignId }) => listingId === outcome.listingId && campaignId === outcome.campaignId,
    )
    if (!got) differences.push(`${where}: expected, but there is none`)
    else differences.push(...fieldsOf(where, outcome, { ...got }))
  }
  return differences
}

function fieldsOf(
  where: string,
  expected: Readonly<Record<string, unknown>>,
  got: Readonly<Record<string, unknown>>,
): string[] {
  return Object.entries(expected).flatMap(([name, value]) => {
    const found = got[name] ?? null
    if (isObject(value) && isObject(found)) return fieldsOf(`${where}: ${name}`, value, found)
    return value === undefined || agrees(value, found)
      ? []
      : [`${where}: ${name}: expected ${JSON.stringify(value)}, got ${JSON.stringify(found)}`]
  })
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const DECIMAL = /^-?(0|[1-9]\d{0,11})(\.\d{1,6})?$/

function agrees(expected: unknown, got: unknown): boolean {
  if (
    typeof expected === 'string' &&
    typeof got === 'string' &&
    DECIMAL.test(expected) &&
    DECIMAL.test(got)
  ) {
    return parseMoney(expected) === parseMoney(got)
  }
  if (typeof expected === 'number' && typeof got === 'number')
    return Math.abs(expected - got) <= SCORE_TOLERANCE
  return (expected ?? null) === (got ?? null)
}
