import { describe, expect, it } from 'vitest'
import { createRandom, normal } from '../demo/random.js'
import { gamma, normalQuantile, poisson } from './draws.js'
import { logHighestOther, segmentShares } from './reference-market.js'
import { runDelivery } from './run-delivery.js'
import { runMarket } from './run-market.js'
import { simulatePacing } from './simulate-pacing.js'
import { BEST_REFERENCE, figuresOf } from './summarise.js'

const market = { seed: 1, campaigns: 20, days: 2, auctionsPerMinute: 60, pricing: 'gsp' } as const

describe('the simulated market', () => {
  it('is the same for the same seed', () => {
    const run = () => runMarket({ ...market, days: 1, strategy: 'endcap' })
    expect(run()).toEqual(run())
  })

  it('bills nothing over a budget, and Endcap outlasts the best reference where no pacing does not', () => {
    const of = (strategy: 'none' | 'endcap') => runMarket({ ...market, strategy })
    const [none, endcap] = [of('none'), of('endcap')]
    for (const day of [...none, ...endcap]) expect(day.billedMicros <= day.budgetMicros).toBe(true)
    expect(figuresOf(none).minutesAlive).toBeLessThan(900)
    const figures = figuresOf(endcap)
    expect(figures.minutesAlive).toBeGreaterThan(BEST_REFERENCE.minutesAlive)
    expect(figures.utilisationMedian).toBeGreaterThan(0.95)
    expect(figures.overDelivery).toBeLessThan(BEST_REFERENCE.overDelivery)
  })

  it('gives away less than 0.5 % of spend with four processes, late clicks and old views, and bills nothing over', () => {
    const delivery = runDelivery({
      seed: 3,
      campaigns: 20,
      days: 1,
      pagesPerMinute: 40,
      processes: 4,
      pacing: 'even',
      holding: 'all',
    })
    expect(delivery.clicks).toBeGreaterThan(500)
    expect(delivery.billedOverMicros).toBe(0n)
    expect(Number(delivery.overMicros) / Number(delivery.billedMicros)).toBeLessThan(0.005)
  })

  it('compares all rows over its seeds, with their spread, and counts its progress', async () => {
    const progress: string[] = []
    const simulation = await simulatePacing({
      seeds: 2,
      firstSeed: 1,
      days: 1,
      campaigns: 6,
      auctionsPerMinute: 10,
      processes: 2,
      onProgress: (done, total) => progress.push(`${done}/${total}`),
    })
    expect(simulation.market.map(({ strategy, pricing }) => `${strategy} ${pricing}`)).toEqual([
      'none first',
      'none gsp',
      'hard gsp',
      'endcap gsp',
    ])
    const { least, mean, most } = simulation.market[0]!.figures.minutesAlive
    expect(least <= mean && mean <= most).toBe(true)
    expect(simulation.ok).toBe(simulation.checks.every(({ ok }) => ok))
    expect(progress.at(-1)).toBe(`${progress.length}/${progress.length}`)
  })
})

describe('draws', () => {
  const mean = (draw: () => number, n = 20_000) => {
    let sum = 0
    for (let i = 0; i < n; i++) sum += draw()
    return sum / n
  }
  it('have the means of their distributions', () => {
    const random = createRandom(5)
    expect(mean(() => poisson(random, 58))).toBeCloseTo(58, 0)
    expect(mean(() => poisson(random, 0.2))).toBeCloseTo(0.2, 1)
    expect(mean(() => gamma(random, 3.77, normal))).toBeCloseTo(3.77, 1)
  })

  it('quantiles are those of the standard normal', () => {
    expect(normalQuantile(0.5)).toBeCloseTo(0, 9)
    expect(normalQuantile(0.975)).toBeCloseTo(1.959964, 6)
    expect(normalQuantile(0.001)).toBeCloseTo(-3.090232, 6)
  })

  it('the highest of others drawn at once is distributed like the highest of as many', () => {
    const random = createRandom(6)
    const oneByOne = () => Math.max(...Array.from({ length: 30 }, () => -8.19 + 2.14 * normal(random)))
    expect(mean(() => logHighestOther(random, 30))).toBeCloseTo(mean(oneByOne), 1)
  })

  it('the shares of shoppers sum to one at any minute', () => {
    for (const minute of [0, 400, 1439]) expect(segmentShares(minute).at(-1)).toBeCloseTo(1, 12)
  })
})
