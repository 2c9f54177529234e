import { describe, expect, it } from 'vitest'
import type { Holder } from './accounts.js'
import { expectedSpend, InFlightSpend } from './in-flight.js'

const accounts = (): Holder[] => [{ heldMicros: 0n }, { heldMicros: 0n }, { heldMicros: 0n }]

describe('spend in flight', () => {
  it('is held for campaign and merchant for ten seconds, then let go, each amount by itself', () => {
    const inFlight = new InFlightSpend()
    const [c, d, m] = accounts() as [Holder, Holder, Holder]
    const start = 1_700_000_000_000
    const heldAt = (account: Holder, nowMs: number) => {
      inFlight.advance(nowMs)
      return account.heldMicros
    }
    inFlight.hold([c, m], 100n, start)
    inFlight.hold([d, m], 50n, start + 5_000)
    expect(heldAt(c, start + 9_000)).toBe(100n)
    expect(heldAt(m, start + 9_000)).toBe(150n)
    expect(heldAt(c, start + 10_000)).toBe(0n)
    expect(heldAt(m, start + 10_000)).toBe(50n)
    expect(heldAt(m, start + 60_000)).toBe(0n)
  })
  it('lets everything go after a long silence', () => {
    const inFlight = new InFlightSpend()
    const [c] = accounts() as [Holder]
    inFlight.hold([c], 100n, 1_000_000)
    inFlight.advance(900_000_000)
    expect(c.heldMicros).toBe(0n)
  })
  it('is price × click rate for cpc, one impression for cpm', () => {
    expect(expectedSpend('cpc', 500_000n, 0.03)).toBe(15_000n)
    expect(expectedSpend('cpm', 2_000_000n, 0.03)).toBe(2_000n)
  })
})
