import { describe, expect, it } from 'vitest'
import type { Holder } from './accounts.js'
import { expectedSpend, InFlightSpend } from './in-flight.js'

const holder = (): Holder => ({ heldMicros: 0n, heldElsewhereMicros: 0n })
const accounts = (): Holder[] => [holder(), holder(), holder()]

describe('spend in flight', () => {
  it('is held for campaign and merchant for a minute, then let go, each amount by itself', () => {
    const inFlight = new InFlightSpend()
    const [c, d, m] = accounts() as [Holder, Holder, Holder]
    const start = 1_700_000_000_000
    const heldAt = (account: Holder, nowMs: number) => {
      inFlight.advance(nowMs)
      return account.heldMicros
    }
    inFlight.hold([c, m], 100n, start)
    inFlight.hold([d, m], 50n, start + 5_000)
    expect(heldAt(c, start + 59_000)).toBe(100n)
    expect(heldAt(m, start + 59_000)).toBe(150n)
    expect(heldAt(c, start + 60_000)).toBe(0n)
    expect(heldAt(m, start + 60_000)).toBe(50n)
    expect(heldAt(m, start + 90_000)).toBe(0n)
  })
  it('lets everything go after a long silence', () => {
    const inFlight = new InFlightSpend()
    const [c] = accounts() as [Holder]
    inFlight.hold([c], 100n, 1_000_000)
    inFlight.advance(900_000_000)
    expect(c.heldMicros).toBe(0n)
  })
  it('is let go as billing counts it, the oldest first, and never twice', () => {
    const inFlight = new InFlightSpend()
    const [c, , m] = accounts() as [Holder, Holder, Holder]
    const start = 1_700_000_000_000
    inFlight.hold([c, m], 100n, start)
    inFlight.hold([c, m], 50n, start + 30_000)
    inFlight.settle(c, 120n)
    expect([c.heldMicros, m.heldMicros]).toEqual([30n, 30n])
    inFlight.advance(start + 60_000)
    expect([c.heldMicros, m.heldMicros]).toEqual([30n, 30n])
    inFlight.settle(c, 1_000n)
    expect([c.heldMicros, m.heldMicros]).toEqual([0n, 0n])
    inFlight.advance(start + 90_000)
    expect([c.heldMicros, m.heldMicros]).toEqual([0n, 0n])
  })
  it('is settled in the part that this process holds of all that is in flight', () => {
    const inFlight = new InFlightSpend()
    const [c, , m] = accounts() as [Holder, Holder, Holder]
    inFlight.hold([c, m], 100n, 1_700_000_000_000)
    c.heldElsewhereMicros = 300n
    inFlight.settle(c, 200n)
    expect(c.heldMicros).toBe(50n)
    inFlight.settle(c, -200n)
    expect(c.heldMicros).toBe(50n)
  })
  it('is price × click rate for cpc, one impression for cpm', () => {
    expect(expectedSpend('cpc', 500_000n, 0.03)).toBe(15_000n)
    expect(expectedSpend('cpm', 2_000_000n, 0.03)).toBe(2_000n)
  })
})
