import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js'
import { bigintArray, dateArray, intArray, textArray, timestampArray } from './binary-arrays.js'

let database: TestPostgres
beforeAll(async () => {
  database = await startTestPostgres()
})
afterAll(() => database.stop())

/** What Postgres makes of an array, as it reads the same array from text. */
async function expectSame(type: string, binary: Buffer, plain: readonly unknown[]): Promise<void> {
  const { rows } = await database.postgres.query(
    `select $1::${type}[] is not distinct from $2::${type}[] as same, array_length($1::${type}[], 1) as length`,
    [binary, plain],
  )
  expect(rows).toEqual([{ same: true, length: plain.length }])
}

describe('binary arrays are read by Postgres as what they hold', () => {
  it('texts of any length and script, quotes, braces, empty ones and nulls', async () => {
    const texts = [
      '',
      'plain',
      '{"a":"b\\"c"}',
      "o'clock",
      '靴 größe \u{1f45f}',
      'NULL',
      'x'.repeat(100_000),
      null,
    ]
    await expectSame('text', textArray(texts), texts)
    await expectSame('text', textArray(['no nulls']), ['no nulls'])
  })
  it('integers to the ends of their range', async () => {
    const large = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]
    await expectSame('bigint', bigintArray(large), large)
    await expectSame('int', intArray([0, -1, 2 ** 31 - 1, -(2 ** 31)]), [0, -1, 2 ** 31 - 1, -(2 ** 31)])
  })
  it('instants to the millisecond and days, before and after 2000', async () => {
    const instants = [
      '1999-12-31T23:59:59.999Z',
      '2000-01-01T00:00:00Z',
      '2026-03-29T01:30:00.001Z',
      '1970-01-01T00:00:00Z',
    ]
    await expectSame('timestamptz', timestampArray(instants.map((text) => Date.parse(text))), instants)
    const days = ['1999-12-31', '2000-01-01', '2026-03-29', '2099-02-28', '1960-02-29']
    await expectSame('date', dateArray(days), days)
  })
  it('no values at all', async () => {
    for (const [type, empty] of [
      ['text', textArray([])],
      ['bigint', bigintArray([])],
      ['timestamptz', timestampArray([])],
    ] as const) {
      const { rows } = await database.postgres.query(
        `select count(*) as n from unnest($1::${type}[]) as value`,
        [empty],
      )
      expect(rows).toEqual([{ n: 0n }])
    }
  })
})
