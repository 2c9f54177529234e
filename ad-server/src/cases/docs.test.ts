import { readFileSync } from 'node:fs'
import { formatMoney, parseMoney } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import { runAuctionCase } from './run-case.js'

const page = readFileSync(new URL('../../../docs/auction.md', import.meta.url), 'utf8')
const BLOCK = /```json\n([\s\S]*?)```/
const examples = page
  .split(/^#{2,3} /m)
  .filter((section) => BLOCK.test(section))
  .map((section) => ({
    title: section.slice(0, section.indexOf('\n')),
    json: JSON.parse(BLOCK.exec(section)![1]!),
    prose: section.replace(BLOCK, ''),
  }))

/** Whether the prose names an amount, as a number of its own. */
const names = (prose: string, amount: string): boolean =>
  new RegExp(`(?<![\\d.])${formatMoney(parseMoney(amount)).replace('.', '\\.')}(?!\\d|\\.\\d)`).test(prose)

describe('the examples of docs/auction.md', () => {
  it('are all there', () => expect(examples.length).toBeGreaterThanOrEqual(6))

  it.each(examples)('$title', ({ json, prose }) => {
    const { slots, outcomes, differences } = runAuctionCase(json)
    expect(differences).toEqual([])
    expect(json.expect.slots).toHaveLength(slots.length)
    for (const { price } of slots) expect(names(prose, price), price).toBe(true)
    if (!json.rules.positionEffects) return
    for (const { pricedBy } of outcomes) {
      if (pricedBy) expect(names(prose, pricedBy.vcgPrice), pricedBy.vcgPrice).toBe(true)
    }
  })
})
