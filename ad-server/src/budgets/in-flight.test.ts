import { describe, expect, it } from 'vitest'
import { expectedSpend, InFlightSpend } from './in-flight.js'

describe('spend in flight', () => {
  it('is held for campaign and merchant for ten seconds, then let go, each amount by itself', () => {
    const inFlight = new InFlightSpend()
    const start = 1_700_000_000_000
    inFlight.hold(['c', 'm'], 100n, start)
    inFlight.hold(['d', 'm'], 50n, start + 5_000)
    expect(inFlight.held('c', start + 9_000)).toBe(100n)
    expect(inFlight.held('m', start + 9_000)).toBe(150n)
    expect(inFlight.held('c', start + 10_000)).toBe(0n)
    expect(inFlight.held('m', start + 10_000)).toBe(50n)
    expect(inFlight.held('m', start + 60_000)).toBe(0n)
  })
  it('lets everything go after a long silence', () => {
    const inFlight = new InFlightSpend()
    inFlight.hold(['c'], 100n, 1_000_000)
    expect(inFlight.held('c', 900_000_000)).toBe(0n)
  })
  it('is price × click rate for cpc, one impression for cpm', () => {
    expect(expectedSpend('cpc', 500_000n, 0.03)).toBe(15_000n)
    expect(expectedSpend('cpm', 2_000_000n, 0.03)).toBe(2_000n)
  })
})
