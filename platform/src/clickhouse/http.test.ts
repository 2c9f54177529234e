import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startTestClickHouseHttp, type TestClickHouseHttp } from '../testing/clickhouse.js'
import { describeClickHouse } from './clickhouse.suite.js'
import { CLICKHOUSE_UNREACHABLE, countCell, defineQuery } from './index.js'

describeClickHouse('over HTTP', startTestClickHouseHttp)

describe('the HTTP interface of the engine', () => {
  let server: TestClickHouseHttp
  beforeAll(async () => {
    server = await startTestClickHouseHttp()
  })
  afterAll(() => server?.close())

  const ask = (search: string, init?: RequestInit) => fetch(`${server.url}/${search}`, init)
  const sleepSql = encodeURIComponent('select sleepEachRow(1) from numbers(3) format Null')

  it('answers /ping while queries fill every reading session', async () => {
    const long = [1, 2, 3].map(() => ask(`?query=${sleepSql}`))
    const firstAnswer = Promise.race(long).then(() => 'report')
    const healthy = ask('ping').then(async (answer) => {
      await server.clickhouse.check()
      return answer.text()
    })
    expect(await Promise.race([firstAnswer, healthy])).toBe('Ok.\n')
    await Promise.all(long)
  })

  it('takes the query from the address or the body, parameters, settings and a default format', async () => {
    const query = encodeURIComponent('select {a:UInt8} + 1 as b, toInt64(1) as c')
    const search = `?query=${query}&param_a=41&default_format=JSONEachRow&output_format_json_quote_64bit_integers=1`
    const fromAddress = await ask(search)
    expect(await fromAddress.text()).toBe('{"b":42,"c":"1"}\n')
    expect(JSON.parse(fromAddress.headers.get('x-clickhouse-summary')!)).toHaveProperty('read_rows')
    const fromBody = await ask('?param_a=1', { method: 'POST', body: 'select {a:UInt8}' })
    expect(await fromBody.text()).toBe('1\n')
  })

  it('takes rows compressed with gzip', async () => {
    await ask('', { method: 'POST', body: 'create table zipped (n UInt32) engine = MergeTree order by n' })
    const body = gzipSync(Array.from({ length: 50_000 }, (_, n) => `[${n}]\n`).join(''))
    const query = encodeURIComponent('insert into zipped (n) format JSONCompactEachRow')
    const answer = await ask(`?query=${query}`, {
      method: 'POST',
      body,
      headers: { 'content-encoding': 'gzip' },
    })
    expect(answer.status).toBe(200)
    expect(await (await ask(`?query=${encodeURIComponent('select sum(n) from zipped')}`)).text()).toBe(
      '1249975000\n',
    )
  })

  it('inserts nothing, without an error, when there are no rows', async () => {
    const query = encodeURIComponent('insert into zipped (n) format JSONCompactEachRow')
    expect((await ask(`?query=${query}`, { method: 'POST', body: '' })).status).toBe(200)
  })

  it('answers errors with the code in the text, a header and the status', async () => {
    const missing = await ask('', { method: 'POST', body: 'select * from nothing_here' })
    expect(missing.status).toBe(404)
    expect(missing.headers.get('x-clickhouse-exception-code')).toBe('60')
    expect(await missing.text()).toMatch(/^Code: 60\. DB::Exception: .*\(UNKNOWN_TABLE\)/)
    expect((await ask('', { method: 'POST', body: 'selec 1' })).status).toBe(400)
    expect((await ask('?database=elsewhere', { method: 'POST', body: 'select 1' })).status).toBe(404)
    expect((await ask('?no_such_setting=1', { method: 'POST', body: 'select 1' })).status).not.toBe(200)
    expect(
      (await ask('', { method: 'POST', body: 'x', headers: { 'content-encoding': 'zip' } })).status,
    ).toBe(400)
    expect((await ask('', { method: 'DELETE' })).status).toBe(405)
    expect((await ask('somewhere')).status).toBe(404)
  })

  it('goes on answering after clients left in the middle of an Arrow stream', async () => {
    const query = encodeURIComponent(
      "select number, repeat('x', 1000) from numbers(2000000) settings max_block_size = 1000 format ArrowStream",
    )
    for (let i = 0; i < 4; i++) {
      const leave = new AbortController()
      const answer = await ask(`?query=${query}`, { signal: leave.signal })
      await answer.body!.getReader().read()
      leave.abort()
    }
    expect(await (await ask('?query=select%201')).text()).toBe('1\n')
  })

  it('says that it is unreachable when it was killed, and serves the stored rows after a restart', async () => {
    const count = defineQuery({
      name: 'zipped.count',
      params: z.object({}),
      row: z.object({ rows: countCell }),
      sql: 'select count() as rows from zipped',
    })
    await server.kill()
    await expect(server.clickhouse.query(count, {})).rejects.toMatchObject({
      code: CLICKHOUSE_UNREACHABLE,
      retryable: true,
    })
    await expect(server.clickhouse.check()).rejects.toMatchObject({ retryable: true })
    await server.restart()
    await server.clickhouse.check()
    expect(await server.clickhouse.query(count, {})).toEqual([{ rows: 50_000 }])
  })
})
