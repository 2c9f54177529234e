import { expect, it } from 'vitest'
import { leastReserve } from './least-reserve.js'

const rule = (placement: string | null, category: string | null, micros: number) => ({
  name: `${placement}/${category}`,
  placement,
  category,
  reserveMicros: String(micros),
  reserveCpmMicros: String(micros * 10),
})
const least = (reserves: ReturnType<typeof rule>[], placements: string[], pricing: 'cpc' | 'cpm' = 'cpc') =>
  leastReserve({ reserves, reserveMicros: '50', reserveCpmMicros: '500' }, { pricing, placements })

it('is the lowest reserve that some request could set', () => {
  expect(least([], [])).toBe(50n)
  expect(least([], [], 'cpm')).toBe(500n)
  expect(least([rule('search', null, 90)], ['search'])).toBe(90n)
  expect(least([rule('search', null, 90)], ['search', 'home'])).toBe(50n)
  expect(least([rule('search', null, 90)], [])).toBe(50n)
  expect(least([rule(null, null, 90)], [])).toBe(90n)
  expect(least([rule(null, null, 90), rule('search', null, 20)], ['search'])).toBe(20n)
  expect(least([rule(null, null, 20), rule('search', null, 90)], ['search'])).toBe(90n)
  expect(least([rule('search', null, 90), rule('search', 'shoes', 70)], ['search'])).toBe(70n)
  expect(least([rule('home', 'shoes', 10)], ['search'])).toBe(50n)
})
