import { parseMoney } from '@endcap/contracts'
import type { AuctionCase } from './case-schema.js'
import type { CaseOutcome, CaseSlot } from './run-case.js'

const SCORE_TOLERANCE = 1e-9

type Expectation = AuctionCase['expect']

/**
 * Where a result is not what its case expects, a sentence each. Slots must be the same, all of them; outcomes are looked up by
 * listing and campaign, and those that the case does not mention are free. Fields that the case leaves out are free too.
 */
export function differencesOf(
  expected: Expectation,
  slots: readonly CaseSlot[],
  outcomes: readonly CaseOutcome[],
): string[] {
  const differences: string[] = []
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
  return Object.entries(expected).flatMap(([name, value]) =>
    value === undefined || agrees(name, value, got[name])
      ? []
      : [`${where}: ${name}: expected ${JSON.stringify(value)}, got ${JSON.stringify(got[name] ?? null)}`],
  )
}

function agrees(name: string, expected: unknown, got: unknown): boolean {
  if ((name === 'price' || name === 'bid') && typeof expected === 'string' && typeof got === 'string') {
    return parseMoney(expected) === parseMoney(got)
  }
  if (typeof expected === 'number' && typeof got === 'number')
    return Math.abs(expected - got) <= SCORE_TOLERANCE
  return (expected ?? null) === (got ?? null)
}
