import { describe, expect, it } from 'vitest'
import { Slabs } from './slabs.js'

const MIB = 1 << 20

describe('slabs', () => {
  it('never give memory again before the sync that covers it has succeeded', () => {
    const slabs = new Slabs()
    const first = slabs.take(100).fill(1)
    const syncing = slabs.turn()
    const second = slabs.take(100).fill(2)
    const failed = slabs.turn()
    slabs.take(100).fill(3)
    slabs.giveBack(syncing)
    slabs.take(MIB).fill(4)
    slabs.take(MIB).fill(5)
    expect(second.every((byte) => byte === 2)).toBe(true)
    expect(failed).toBeDefined()
    expect(first.length).toBe(100)
  })

  it('take turns', () => {
    const slabs = new Slabs()
    slabs.take(10)
    const a = slabs.turn()
    slabs.take(10)
    slabs.giveBack(a)
    const b = slabs.turn()
    expect(slabs.take(10).buffer).toBe(a!.buffer)
    slabs.giveBack(b)
    slabs.turn()
    expect(slabs.take(10).buffer).toBe(b!.buffer)
  })

  it('give memory of its own for what is larger than a slab', () => {
    const slabs = new Slabs()
    const small = slabs.take(10).fill(7)
    expect(slabs.take(3 * MIB)).toHaveLength(3 * MIB)
    expect(slabs.take(10).buffer).toBe(small.buffer)
  })
})
