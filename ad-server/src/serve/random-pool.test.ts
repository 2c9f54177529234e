import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { createRandomPool } from './random-pool.js'

it('gives as many bytes as asked for, and none of them twice: tokens live by it', () => {
  const drawn: Buffer[] = []
  const take = createRandomPool((bytes) => {
    const draw = randomBytes(bytes)
    drawn.push(Buffer.from(draw))
    return draw
  })
  const given = new Set<string>()
  const offsets = new Map<ArrayBufferLike, number>()
  for (let time = 0; time < 5000; time++) {
    const bytes = take(28)
    expect(bytes).toHaveLength(28)
    given.add(bytes.toString('hex'))
    expect(bytes.byteOffset).toBeGreaterThanOrEqual(offsets.get(bytes.buffer) ?? 0)
    offsets.set(bytes.buffer, bytes.byteOffset + 28)
  }
  expect(given.size).toBe(5000)
  expect(drawn.length).toBeLessThan(30)
  expect(take(20_000)).toHaveLength(20_000)
})
