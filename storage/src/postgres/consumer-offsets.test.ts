import type { Postgres } from '@endcap/platform/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/index.js'
import { advanceOffset, readOffset, StaleOffsetError } from './consumer-offsets.js'

const where = { consumer: 'billing', topic: 'endcap.interactions.v1', partition: 2 }
const now = new Date('2026-01-05T12:00:00Z')
let test: TestPostgres
let postgres: Postgres

beforeAll(async () => {
  test = await startTestPostgres()
  postgres = test.postgres
})
afterAll(() => test?.stop())
beforeEach(() => postgres.query('truncate consumer_offsets'))

const advance = (from: bigint | undefined, to: bigint, partition = where.partition) =>
  postgres.transaction((tx) => advanceOffset(tx, { ...where, partition, from, to, now }))

describe('consumer offsets', () => {
  it('are absent at first and then what they were moved to, exactly', async () => {
    expect(await readOffset(postgres, where)).toBeUndefined()
    await advance(undefined, 9_007_199_254_740_993n)
    await advance(9_007_199_254_740_993n, 9_007_199_254_740_994n)
    expect(await readOffset(postgres, where)).toBe(9_007_199_254_740_994n)
    expect(await readOffset(postgres, { ...where, partition: 3 })).toBeUndefined()
  })

  it.each([
    ['has no row', undefined, 5n],
    ['is behind', 10n, 9n],
    ['is ahead', 10n, 11n],
    ['exists already', 10n, undefined],
  ])('are not moved by one who was built on another offset: it %s', async (_, stored, from) => {
    if (stored !== undefined) await advance(undefined, stored)
    await expect(advance(from, 20n)).rejects.toThrow(StaleOffsetError)
    expect(await readOffset(postgres, where)).toBe(stored)
  })

  it('let exactly one of two consumers commit its work over the same records, on every partition', async () => {
    await Promise.all([0, 1, 2, 3].map((partition) => advance(undefined, 0n, partition)))
    for (let offset = 0n; offset < 5n; offset++) {
      const answers = await Promise.allSettled(
        [0, 1, 2, 3].flatMap((partition) => [
          advance(offset, offset + 1n, partition),
          advance(offset, offset + 1n, partition),
        ]),
      )
      for (const partition of [0, 1, 2, 3]) {
        const pair = answers.slice(partition * 2, partition * 2 + 2).map((answer) => answer.status)
        expect(pair.sort()).toEqual(['fulfilled', 'rejected'])
      }
    }
  })

  it('let exactly one of many start a partition', async () => {
    const answers = await Promise.allSettled(Array.from({ length: 6 }, () => advance(undefined, 1n)))
    expect(answers.filter((answer) => answer.status === 'fulfilled')).toHaveLength(1)
  })
})
