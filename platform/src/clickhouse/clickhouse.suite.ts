import { tableFromIPC } from 'apache-arrow'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { TestClickHouse } from '../testing/clickhouse.js'
import {
  CLICKHOUSE_CODES,
  type ClickHouse,
  ClickHouseError,
  countCell,
  defineQuery,
  defineTable,
  instantMsCell,
  instantMsParam,
  int64Cell,
  toDateTime64,
} from './index.js'

interface Sample {
  readonly id: string
  readonly amount: bigint
  readonly atMs: number
  readonly text: string
}

const samplesTable = defineTable<Sample>({
  name: 'samples',
  columns: {
    id: (row) => row.id,
    amount: (row) => String(row.amount),
    at: (row) => toDateTime64(row.atMs),
    text: (row) => row.text,
  },
})

const samplesById = defineQuery({
  name: 'samples.by_id',
  params: z.object({ ids: z.array(z.string()) }),
  row: z.object({ id: z.string(), amount: int64Cell, atMs: instantMsCell, text: z.string() }),
  sql: 'select id, amount, at as atMs, text from samples where id in {ids:Array(String)} order by id',
})

const sampleTotals = defineQuery({
  name: 'samples.totals',
  params: z.object({}),
  row: z.object({ rows: countCell, viewRows: countCell }),
  sql: 'select (select count() from samples) as rows, (select sum(rows) from samples_view) as viewRows',
})

const sample = (id: string, more: Partial<Sample> = {}): Sample => ({
  id,
  amount: 1n,
  atMs: Date.UTC(2026, 0, 5, 12, 0, 0, 123),
  text: '',
  ...more,
})

/** What both transports promise. */
export function describeClickHouse(transport: string, start: () => Promise<TestClickHouse>): void {
  describe(`ClickHouse, ${transport}`, () => {
    let harness: TestClickHouse
    let clickhouse: ClickHouse
    beforeAll(async () => {
      harness = await start()
      clickhouse = harness.clickhouse
      await clickhouse.command(
        `create table samples (id String, amount Int64, at DateTime64(3, 'UTC'), text String) engine = MergeTree
         partition by toYYYYMM(at) order by id settings non_replicated_deduplication_window = 100`,
      )
      await clickhouse.command(
        `create table samples_view (month UInt32, rows UInt64) engine = SummingMergeTree order by month
         settings non_replicated_deduplication_window = 100`,
      )
      await clickhouse.command(
        `create materialized view samples_mv to samples_view as
         select toYYYYMM(at) as month, count() as rows from samples group by month`,
      )
    })
    afterAll(() => harness?.close())

    const totals = async () => (await clickhouse.query(sampleTotals, {}))[0]!

    it('gives 64-bit integers, instants and any text back exactly as they were stored', async () => {
      const rows = [
        sample('exact-1', { amount: 2n ** 63n - 1n, text: 'a\'b"c\\d;e\n\t\r\u0000é漢🦊 select 1; --' }),
        sample('exact-2', { amount: -(2n ** 63n), text: '' }),
        sample('exact-3', { amount: 9_007_199_254_740_993n, text: '{ids:Array(String)}' }),
      ]
      await clickhouse.insert(samplesTable, rows, { token: 'exact' })
      expect(await clickhouse.query(samplesById, { ids: rows.map((row) => row.id) })).toEqual(rows)
    })

    it('stores text with a lone surrogate with the replacement character instead of refusing the rows beside it', async () => {
      await clickhouse.insert(samplesTable, [sample('surrogate', { text: 'a\ud800b \\ud800' })], {
        token: 'surrogate',
      })
      const [row] = await clickhouse.query(samplesById, { ids: ['surrogate'] })
      expect(row!.text).toBe('a\ufffdb \\ud800')
    })

    it('binds parameters as values, whatever they contain', async () => {
      const id = `it's \\ "odd"; drop table samples --\n`
      await clickhouse.insert(samplesTable, [sample(id)], { token: 'odd' })
      expect(await clickhouse.query(samplesById, { ids: [id, '\\', "'"] })).toHaveLength(1)
    })

    it('gives any text bound as a parameter back as it was, alone and in a list', async () => {
      const echo = defineQuery({
        name: 'echo',
        params: z.object({ one: z.string(), many: z.array(z.string()) }),
        row: z.object({ one: z.string(), many: z.array(z.string()) }),
        sql: 'select {one:String} as one, {many:Array(String)} as many',
      })
      const text = fc.string({ unit: 'binary' })
      await fc.assert(
        fc.asyncProperty(text, fc.array(text, { maxLength: 5 }), async (one, many) => {
          expect(await clickhouse.query(echo, { one, many })).toEqual([{ one, many }])
        }),
        { numRuns: 60, seed: 1 },
      )
    })

    it('binds ten thousand ids', async () => {
      await clickhouse.insert(samplesTable, [sample('wanted')], { token: 'wanted' })
      const ids = Array.from({ length: 10_000 }, (_, i) => `evt_01932f000000000000000000${i}`)
      expect(await clickhouse.query(samplesById, { ids: [...ids, 'wanted'] })).toHaveLength(1)
    })

    it('compares instants to the millisecond', async () => {
      const atMs = Date.UTC(2026, 5, 1, 0, 0, 0, 500)
      await clickhouse.insert(samplesTable, [sample('at', { atMs })], { token: 'at' })
      const since = defineQuery({
        name: 'samples.since',
        params: z.object({ fromMs: instantMsParam }),
        row: z.object({ rows: countCell }),
        sql: `select count() as rows from samples where id = 'at' and at >= {fromMs:DateTime64(3, 'UTC')}`,
      })
      expect(await clickhouse.query(since, { fromMs: atMs })).toEqual([{ rows: 1 }])
      expect(await clickhouse.query(since, { fromMs: atMs + 1 })).toEqual([{ rows: 0 }])
    })

    it('counts an insert repeated with its token once, in the table and in its views', async () => {
      const before = await totals()
      const rows = Array.from({ length: 1_200 }, (_, i) => sample(`twice-${i}`))
      await clickhouse.insert(samplesTable, rows, { token: 'twice' })
      await clickhouse.insert(samplesTable, rows, { token: 'twice' })
      const after = await totals()
      expect(after.rows - before.rows).toBe(1_200)
      expect(after.viewRows - before.viewRows).toBe(1_200)
    })

    it('counts the same rows with another token again, also in the views', async () => {
      const before = await totals()
      await clickhouse.insert(samplesTable, [sample('again')], { token: 'again-1' })
      await clickhouse.insert(samplesTable, [sample('again')], { token: 'again-2' })
      const after = await totals()
      expect(after.rows - before.rows).toBe(2)
      expect(after.viewRows - before.viewRows).toBe(2)
    })

    it('counts a repeated insert over several months once', async () => {
      const before = await totals()
      const rows = Array.from({ length: 14 }, (_, i) => sample(`month-${i}`, { atMs: Date.UTC(2020, i, 1) }))
      await clickhouse.insert(samplesTable, rows, { token: 'months' })
      await clickhouse.insert(samplesTable, rows, { token: 'months' })
      const after = await totals()
      expect(after.rows - before.rows).toBe(14)
      expect(after.viewRows - before.viewRows).toBe(14)
    })

    it('fills a view that missed an insert when the insert is repeated: a crash between table and view loses nothing', async () => {
      await clickhouse.command(
        `create table late_view (id String) engine = MergeTree order by id settings non_replicated_deduplication_window = 100`,
      )
      await clickhouse.insert(samplesTable, [sample('late')], { token: 'late' })
      await clickhouse.command(
        `create materialized view late_mv to late_view as select id from samples where id = 'late'`,
      )
      const before = await totals()
      await clickhouse.insert(samplesTable, [sample('late')], { token: 'late' })
      await clickhouse.insert(samplesTable, [sample('late')], { token: 'late' })
      const late = defineQuery({
        name: 'late_view.ids',
        params: z.object({}),
        row: z.object({ id: z.string() }),
        sql: 'select id from late_view',
      })
      expect(await clickhouse.query(late, {})).toEqual([{ id: 'late' }])
      expect(await totals()).toEqual(before)
    })

    it('does not let the settings or parameters of one statement reach the next', async () => {
      await clickhouse.insert(samplesTable, [sample('leak-1')], { token: 'leak' })
      await clickhouse.command(`insert into samples values ('leak-2', 1, '2026-01-05 12:00:00', '')`)
      await clickhouse.command(`insert into samples values ('leak-3', 1, '2026-01-05 12:00:00', '')`)
      expect(await clickhouse.query(samplesById, { ids: ['leak-1', 'leak-2', 'leak-3'] })).toHaveLength(3)
      const unbound = defineQuery({
        name: 'unbound',
        params: z.object({}),
        row: z.unknown(),
        sql: 'select {ids:Array(String)} as ids',
      })
      for (let i = 0; i < 4; i++) {
        await expect(clickhouse.query(unbound, {})).rejects.toMatchObject({
          code: CLICKHOUSE_CODES.unknownQueryParameter,
        })
      }
    })

    it('names the error of a failed statement by its code and goes on working', async () => {
      const missing = defineQuery({
        name: 'missing',
        params: z.object({}),
        row: z.unknown(),
        sql: 'select * from nothing_here',
      })
      const failure = await clickhouse.query(missing, {}).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(ClickHouseError)
      expect(failure).toMatchObject({
        code: CLICKHOUSE_CODES.unknownTable,
        type: 'UNKNOWN_TABLE',
        retryable: false,
        statement: 'missing',
      })
      await expect(clickhouse.command('selec 1')).rejects.toMatchObject({
        code: CLICKHOUSE_CODES.syntaxError,
      })
      await expect(
        clickhouse.command('select 1', {}, { no_such_setting: 1 } as never),
      ).rejects.toBeInstanceOf(ClickHouseError)
      await clickhouse.check()
      expect((await clickhouse.query(sampleTotals, {})).length).toBe(1)
    })

    it('stores none of the rows of an insert that fails', async () => {
      const bad = { name: 'samples', columns: ['id', 'amount'] as const }
      const lines = ['["whole-1","1"]', '["whole-2","not a number"]'] as never[]
      await expect(clickhouse.insertEncoded(bad, lines, { token: 'whole' })).rejects.toBeInstanceOf(
        ClickHouseError,
      )
      expect(await clickhouse.query(samplesById, { ids: ['whole-1', 'whole-2'] })).toEqual([])
    })

    it('refuses rows that are not as the query declares them', async () => {
      const wrong = defineQuery({
        name: 'wrong',
        params: z.object({}),
        row: z.object({ a: z.string() }),
        sql: 'select 1 as a',
      })
      await expect(clickhouse.query(wrong, {})).rejects.toThrow(/rows of wrong/)
    })

    it('streams Arrow that apache-arrow reads whole, over many pieces', async () => {
      const stream = await clickhouse.arrowStream(
        {
          name: 'numbers',
          params: z.object({ rows: z.int() }),
          sql: `select number as n, toString(number) as text, toLowCardinality(toString(number % 3)) as kind,
                  [toFloat32(number), toFloat32(0.5)] as features
                from numbers({rows:UInt64}) settings max_block_size = 1000`,
        },
        { rows: 10_500 },
      )
      const table = await tableFromIPC(stream)
      expect(table.numRows).toBe(10_500)
      expect(table.schema.fields.map((field) => String(field.type))).toEqual([
        'Uint64',
        'Utf8',
        'Utf8',
        'List<Float32>',
      ])
      let sum = 0n
      for (const row of table) {
        sum += row.n as bigint
        expect(row.text).toBe(String(row.n))
      }
      expect(sum).toBe((10_500n * 10_499n) / 2n)
      expect([...(table.get(10_499)!.features as Iterable<number>)]).toEqual([10_499, 0.5])
    })

    it('streams an Arrow table with its columns when there are no rows', async () => {
      const none = { name: 'none', params: z.object({}), sql: 'select number as n from numbers(0)' }
      const table = await tableFromIPC(await clickhouse.arrowStream(none, {}))
      expect(table.numRows).toBe(0)
      expect(table.schema.fields.map((field) => field.name)).toEqual(['n'])
    })

    it('fails an Arrow stream that breaks off, instead of giving fewer rows', async () => {
      const breaking = {
        name: 'breaking',
        params: z.object({}),
        sql: 'select throwIf(number = 5000) as n from numbers(10000) settings max_block_size = 1000',
      }
      const whole = async () => {
        for await (const _ of await clickhouse.arrowStream(breaking, {})) {
          // only the end matters
        }
      }
      await expect(whole()).rejects.toBeInstanceOf(ClickHouseError)
      await clickhouse.check()
    })
  })
}
