import { DEFAULT_RULES_STATE, type ReserveRuleState } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import { createRulebook } from './rulebook.js'

const rule = (
  name: string,
  placement: string | null,
  category: string | null,
  reserve: number,
  cpm = 0,
): ReserveRuleState => ({
  name,
  placement,
  category,
  reserveMicros: String(reserve),
  reserveCpmMicros: String(cpm),
})
const held = (rules: ReserveRuleState[], placement = 'search', categories: string[] = []) =>
  createRulebook({ ...DEFAULT_RULES_STATE, reserves: rules }).inForce(placement, categories).reserveRule

describe('reserve rules', () => {
  it('without any, the house reserve holds', () => {
    expect(createRulebook(DEFAULT_RULES_STATE).inForce('search', ['shoes'])).toEqual({
      reserveMicros: 10_000n,
      reserveCpmMicros: 100_000n,
      squashing: 1,
      maxPerMerchant: 2,
      reserveRule: '',
    })
  })
  it('placement and category before category before placement before house, whatever they ask', () => {
    const both = rule('both', 'search', 'shoes', 1)
    const category = rule('category', null, 'shoes', 2)
    const placement = rule('placement', 'search', null, 3)
    const any = rule('any', null, null, 4)
    const shoes = (...rules: ReserveRuleState[]) => held(rules, 'search', ['shoes'])
    expect(shoes(any, placement, category, both)).toBe('both')
    expect(shoes(any, placement, category)).toBe('category')
    expect(shoes(any, placement)).toBe('placement')
    expect(shoes(any)).toBe('any')
    expect(shoes()).toBe('')
  })
  it('a category holds for its descendants, the deepest one first, and for no other', () => {
    const rules = [rule('shoes', null, 'shoes', 9), rule('trail', null, 'shoes/running/trail', 1)]
    expect(held(rules, 'search', ['shoes/running/trail/women'])).toBe('trail')
    expect(held(rules, 'search', ['shoes/running'])).toBe('shoes')
    expect(held(rules, 'search', ['shoes'])).toBe('shoes')
    expect(held(rules, 'search', ['shoe'])).toBe('')
    expect(held(rules, 'search', ['/shoes'])).toBe('')
    expect(held(rules, 'search', [])).toBe('')
  })
  it('of all categories of the page the most particular rule holds', () => {
    const rules = [rule('bags', null, 'bags', 9), rule('running', null, 'shoes/running', 1)]
    expect(held(rules, 'search', ['bags', 'shoes/running'])).toBe('running')
    expect(held(rules, 'search', ['shoes/running', 'bags'])).toBe('running')
  })
  it('of equally particular ones the higher holds: per click, then per thousand, then the first by name', () => {
    const at = (rules: ReserveRuleState[]) => [held(rules), held([...rules].reverse())]
    expect(at([rule('low', 'search', null, 1, 9), rule('high', 'search', null, 2)])).toEqual(['high', 'high'])
    expect(at([rule('low', 'search', null, 1, 2), rule('high', 'search', null, 1, 3)])).toEqual([
      'high',
      'high',
    ])
    expect(at([rule('b', 'search', null, 1), rule('a', 'search', null, 1)])).toEqual(['a', 'a'])
    const pages = [rule('shoes', null, 'shoes', 1), rule('bags', null, 'bags', 2)]
    expect(held(pages, 'search', ['shoes', 'bags'])).toBe('bags')
  })
})
