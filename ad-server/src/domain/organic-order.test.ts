import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blendOrganic } from './organic-order.js'

describe('the order of organic results', () => {
  it('is by predicted click rate, discounted by rank, evenly weighed', () => {
    const rates = fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), { maxLength: 500 })
    fc.assert(
      fc.property(rates, (pctr) => {
        const worth = (i: number) => Math.sqrt(pctr[i]! / Math.log2(2 + i))
        const order = [...blendOrganic(pctr.length, pctr)]
        expect([...order].sort((a, b) => a - b)).toEqual(pctr.map((_, i) => i))
        for (let at = 1; at < order.length; at++) {
          expect(worth(order[at - 1]!)).toBeGreaterThanOrEqual(worth(order[at]!) * (1 - 1e-9))
        }
      }),
    )
  })

  it('keeps the order of the search engine among equals, and where no rate is above zero', () => {
    expect([...blendOrganic(4, [0.1, 0.1, 0.1, 0.1])]).toEqual([0, 1, 2, 3])
    expect([...blendOrganic(3, [0, 0, 0])]).toEqual([0, 1, 2])
    expect([...blendOrganic(3, [0.001, 0.5, 0.001])]).toEqual([1, 0, 2])
    expect([...blendOrganic(0, [])]).toEqual([])
  })
})
