import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js'
import { connectPostgres, PostgresUnavailableError, violatedConstraint } from './connect.js'
import type { Postgres } from './postgres.js'

const logger = pino({ level: 'silent' })
let test: TestPostgres
let postgres: Postgres

beforeAll(async () => {
  test = await startTestPostgres()
  postgres = test.postgres
  await postgres.query('create table counters (id int primary key, value bigint not null)')
  await postgres.query('insert into counters values (1, 0), (2, 0)')
})
afterAll(() => test?.stop())

describe('values', () => {
  it('keep their meaning: 64-bit integers exact, days without a time zone, numerics as text, JSON parsed', async () => {
    const instant = new Date('2026-03-29T01:30:00.123Z')
    const { rows } = await postgres.query(
      `select $1::bigint as big, $2::timestamptz as at, date '2026-03-29' as day, 1.10::numeric as exact,
         '{"a": [1]}'::jsonb as json, $3::bigint[] as bigs, $4::text[] as texts, $5::timestamptz[] as ats,
         array[date '2026-01-01'] as days, null::bigint as nothing, array[1::bigint, null] as gaps`,
      [
        9_223_372_036_854_775_807n,
        instant,
        [1n, -9_223_372_036_854_775_808n],
        ['a,"b"', '{}', '\\'],
        [instant],
      ],
    )
    expect(rows[0]).toEqual({
      big: 9_223_372_036_854_775_807n,
      at: instant,
      day: '2026-03-29',
      exact: '1.10',
      json: { a: [1] },
      bigs: [1n, -9_223_372_036_854_775_808n],
      texts: ['a,"b"', '{}', '\\'],
      ats: [instant],
      days: ['2026-01-01'],
      nothing: null,
      gaps: [1n, null],
    })
  })

  it('are days of UTC wherever the process runs', async () => {
    const { rows } = await postgres.query(`select ('2026-01-01T23:30:00-02:00'::timestamptz)::date as day`)
    expect(rows[0]).toEqual({ day: '2026-01-02' })
  })
})

describe('transactions', () => {
  it('leave nothing behind when their work throws', async () => {
    const failure = postgres.transaction(async (tx) => {
      await tx.query('insert into counters values (100, 0)')
      throw new Error('thrown by the work')
    })
    await expect(failure).rejects.toThrow('thrown by the work')
    expect((await postgres.query('select 1 from counters where id = 100')).rowCount).toBe(0)
  })

  it('that cannot be serialized run again until each of them has counted', async () => {
    let runs = 0
    await Promise.all(
      Array.from({ length: 4 }, () =>
        postgres.transaction(
          async (tx) => {
            runs++
            const { rows } = await tx.query<{ value: bigint }>('select value from counters where id = 1')
            await tx.query('select pg_sleep(0.02)')
            await tx.query('update counters set value = $1 where id = 1', [rows[0]!.value + 1n])
          },
          { isolation: 'serializable' },
        ),
      ),
    )
    expect(runs).toBeGreaterThan(4)
    expect((await postgres.query('select value from counters where id = 1')).rows[0]).toEqual({ value: 4n })
  })

  it('that deadlock run again and both commit', async () => {
    const bothHoldOne = barrier(2)
    const move = (first: number, second: number) => {
      let runs = 0
      return postgres.transaction(async (tx) => {
        await tx.query('update counters set value = value + 1 where id = $1', [first])
        if (runs++ === 0) await bothHoldOne()
        await tx.query('update counters set value = value + 1 where id = $1', [second])
        return runs
      })
    }
    const runs = await Promise.all([move(1, 2), move(2, 1)])
    expect(Math.max(...runs)).toBe(2)
    expect((await postgres.query('select value from counters where id = 2')).rows[0]).toEqual({ value: 2n })
  })

  it('give up on an error that repeating cannot mend, and name the constraint', async () => {
    let runs = 0
    const error = await postgres
      .transaction(async (tx) => {
        runs++
        await tx.query('insert into counters values (1, 0)')
      })
      .catch((thrown: unknown) => thrown)
    expect(runs).toBe(1)
    expect(violatedConstraint(error)).toBe('counters_pkey')
  })

  it('survive that their connection is cut: the work fails, the next one gets a new connection', async () => {
    const failure = postgres.transaction(async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      await postgres.query('select pg_terminate_backend($1)', [rows[0]!.pid])
      await tx.query('select 1')
    })
    await expect(failure).rejects.toThrow()
    await Promise.all(Array.from({ length: 12 }, () => postgres.check()))
  })
})

describe('leadership', () => {
  it('is held by one at a time and handed on', async () => {
    const order: string[] = []
    const answer = await postgres.withLeadership('job', async () => {
      order.push('first')
      expect(await postgres.withLeadership('job', async () => order.push('intruder'))).toBeUndefined()
      expect(await postgres.withLeadership('another job', async () => 'granted')).toBe('granted')
      return 'done'
    })
    expect(answer).toBe('done')
    expect(await postgres.withLeadership('job', async () => order.push('second'))).toBe(2)
    expect(order).toEqual(['first', 'second'])
  })

  it('is given back when the work throws', async () => {
    await expect(postgres.withLeadership('job', () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    )
    expect(await postgres.withLeadership('job', async () => 'free')).toBe('free')
  })

  it('tells the work when its connection is cut', async () => {
    const reason = await postgres.withLeadership('job', async (lost) => {
      await postgres.query(
        `select pg_terminate_backend(pid) from pg_locks join pg_database on pg_database.oid = database
         where datname = current_database() and locktype = 'advisory' and pid <> pg_backend_pid()`,
      )
      await vi.waitFor(() => expect(lost.aborted).toBe(true), { timeout: 10_000 })
      return 'noticed'
    })
    expect(reason).toBe('noticed')
  })
})

describe('a Postgres that cannot be used', () => {
  const failureOf = async (url: string): Promise<Error> => {
    const unreachable = connectPostgres({ url, applicationName: 'test', logger })
    try {
      return await unreachable.check().then(
        () => new Error('it answered'),
        (error: Error) => error,
      )
    } finally {
      await unreachable.close()
    }
  }

  it.each([
    [
      'refuses the connection',
      () => 'postgres://user:hunter2@127.0.0.1:1/shop',
      /127\.0\.0\.1:1\/shop .*refused/,
    ],
    [
      'knows another password',
      () => test.url.replace(/:[^:@]+@/, ':hunter2@'),
      /user or the password is wrong/,
    ],
    ['lacks the database', () => test.url.replace(/\/test_\w+$/, '/nowhere'), /no such database/],
  ])('that %s is named in one sentence without the password', async (_, url, sentence) => {
    const error = await failureOf(url())
    expect(error).toBeInstanceOf(PostgresUnavailableError)
    expect(error.message).toMatch(sentence)
    expect(error.message).not.toContain('hunter2')
    expect(error.message).not.toContain('\n')
  })

  it.each(['', 'shop', 'mysql://user:hunter2@host/shop', 'http://127.0.0.1'])(
    'is refused at once: %j',
    (url) => {
      expect(() => connectPostgres({ url, applicationName: 'test', logger })).toThrow(
        PostgresUnavailableError,
      )
      expect(() => connectPostgres({ url, applicationName: 'test', logger })).not.toThrow(/hunter2/)
    },
  )
})

/** Resolves for all when `count` have arrived. */
function barrier(count: number): () => Promise<void> {
  let arrived = 0
  let open: () => void = () => {}
  const opened = new Promise<void>((done) => {
    open = done
  })
  return () => {
    if (++arrived === count) open()
    return opened
  }
}
