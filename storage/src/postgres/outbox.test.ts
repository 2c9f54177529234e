import { type Clock, createSequentialIdSource, TOPICS, type Topic } from '@endcap/contracts'
import type { EventLog, NewRecord } from '@endcap/platform/event-log'
import { MAX_RECORD_BYTES, RecordTooLargeError } from '@endcap/platform/event-log'
import type { Component } from '@endcap/platform/lifecycle'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres, Transaction } from '@endcap/platform/postgres'
import { connectPostgres } from '@endcap/platform/postgres'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/index.js'
import { appendChanges, appendEventsToOutbox, appendToOutbox } from './outbox.js'
import { createOutboxRelay } from './outbox-relay.js'

const logger = pino({ level: 'silent' })
let test: TestPostgres
let postgres: Postgres
const running: Component[] = []

beforeAll(async () => {
  test = await startTestPostgres()
  postgres = test.postgres
})
afterAll(() => test?.stop())
afterEach(async () => {
  for (const component of running.splice(0)) await component.stop()
  await postgres.query('truncate outbox')
})

const event = (id: string) => ({ id, type: 'order', key: id })
const entry = (id: string) => ({ key: id, make: () => event(id) })

/** A log in an array: what a test wants to see and to break is the boundary to the log, not the log. */
function arrayLog() {
  const appended: { topic: Topic; record: NewRecord }[] = []
  const behaviour = { refuse: undefined as Topic | undefined, onAppended: async (): Promise<void> => {} }
  const log = {
    async append(topic: Topic, records: readonly NewRecord[], durability: string) {
      expect(durability).toBe('synced')
      if (behaviour.refuse === topic) throw new Error(`${topic} takes nothing now`)
      for (const record of records) appended.push({ topic, record })
      await behaviour.onAppended()
    },
  } as unknown as EventLog
  const idsOf = (topic: Topic): string[] =>
    appended
      .filter((each) => each.topic === topic)
      .map((each) => JSON.parse(each.record.value ?? '').id as string)
  return { log, behaviour, appended, idsOf }
}

async function startRelay(
  log: EventLog,
  options: { postgres?: Postgres; clock?: Clock } = {},
): Promise<Component> {
  const relay = createOutboxRelay({
    postgres: options.postgres ?? postgres,
    log,
    clock: options.clock ?? Date.now,
    logger,
    metrics: createMetrics({ service: 'test' }),
    pollMs: 10,
  })
  running.push(relay)
  await relay.start()
  return relay
}
const waiting = async (): Promise<number> => (await postgres.query('select 1 from outbox')).rowCount
const until = (check: () => unknown) => vi.waitFor(check, { timeout: 15_000, interval: 10 })

/** Both ways into the outbox keep the same promises. */
const WAYS = [
  [
    'numbered',
    (tx: Transaction, topic: Topic, ids: readonly string[]) => appendToOutbox(tx, topic, ids.map(entry)),
  ],
  [
    'as they are',
    (tx: Transaction, topic: Topic, ids: readonly string[]) =>
      appendEventsToOutbox(tx, topic, ids.map(event)),
  ],
] as const

describe.each(WAYS)('the outbox, events %s', (_name, append) => {
  it('keeps no event that the log would refuse: it takes its whole transaction with it', async () => {
    const large = 'x'.repeat(MAX_RECORD_BYTES)
    const write = (id: string) =>
      postgres.transaction((tx) => append(tx, TOPICS.orders, ['of the same transaction', id]))
    await expect(write(large)).rejects.toBeInstanceOf(RecordTooLargeError)
    expect(await waiting()).toBe(0)
    await write('fits')
    expect(await waiting()).toBe(2)
  })

  it('gives a lower position to what commits first: a second writer of the topic waits for the first', async () => {
    const steps: string[] = []
    let commitFirst: () => void = () => {}
    const mayCommit = new Promise<void>((done) => {
      commitFirst = done
    })
    let appended: () => void = () => {}
    const firstHasAppended = new Promise<void>((done) => {
      appended = done
    })
    const first = postgres.transaction(async (tx) => {
      await append(tx, TOPICS.orders, ['first'])
      appended()
      await mayCommit
      steps.push('first commits')
    })
    await firstHasAppended
    const second = postgres.transaction(async (tx) => {
      await append(tx, TOPICS.orders, ['second'])
      steps.push('second has its position')
    })
    // Without the lock the second would commit now, and a relay would read past the first.
    await until(async () => {
      const { rowCount } = await postgres.query(
        `select 1 from pg_locks join pg_database on pg_database.oid = database
         where datname = current_database() and locktype = 'advisory' and not granted`,
      )
      expect(rowCount).toBe(1)
    })
    await postgres.transaction((tx) => append(tx, TOPICS.charges, ['another topic']))
    expect((await postgres.query(`select 1 from outbox where topic = $1`, [TOPICS.orders])).rowCount).toBe(0)
    commitFirst()
    await Promise.all([first, second])
    expect(steps).toEqual(['first commits', 'second has its position'])
    const { rows } = await postgres.query('select key from outbox where topic = $1 order by id', [
      TOPICS.orders,
    ])
    expect(rows).toEqual([{ key: 'first' }, { key: 'second' }])
  })

  it('shows every position below one that can be seen, while many write at once', async () => {
    let writing = true
    let gaps = 0
    let seen: bigint[] = []
    const watch = (async () => {
      while (writing) {
        const { rows } = await postgres.query<{ id: bigint }>(
          'select id from outbox where topic = $1 order by id',
          [TOPICS.orders],
        )
        const now = rows.map((row) => row.id)
        // What was seen before must be the beginning of what is seen now.
        if (seen.some((id, index) => now[index] !== id)) gaps++
        seen = now
      }
    })()
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let i = 0; i < 15; i++) {
          await postgres.transaction(async (tx) => {
            await append(tx, TOPICS.orders, [`${writer}-${i}-a`, `${writer}-${i}-b`])
            if ((writer + i) % 3 === 0) await tx.query('select pg_sleep(0.002)')
          })
        }
      }),
    )
    writing = false
    await watch
    expect(gaps).toBe(0)
    expect(await waiting()).toBe(240)
  })

  it('keeps the order given', async () => {
    const ids = Array.from({ length: 500 }, (_, index) => `event-${index}`)
    await postgres.transaction((tx) => append(tx, TOPICS.orders, ids))
    const { rows } = await postgres.query<{ value: string }>('select value from outbox order by id')
    expect(rows.map((row) => JSON.parse(row.value).id)).toEqual(ids)
  })
})

describe('the outbox', () => {
  it('hands each event its own position, in the order given, and keeps nothing of a transaction that rolls back', async () => {
    const positions: bigint[] = []
    const numbered = (id: string) => ({
      key: id,
      make: (sequence: bigint) => {
        positions.push(sequence)
        return { ...event(id), data: { sequence: sequence.toString() } }
      },
    })
    await postgres.transaction((tx) => appendToOutbox(tx, TOPICS.changes, ['a', 'b', 'c'].map(numbered)))
    const { rows } = await postgres.query<{ id: bigint; value: string }>(
      'select id, value from outbox order by id',
    )
    expect(rows.map((row) => row.id)).toEqual(positions)
    expect(rows.map((row) => JSON.parse(row.value).id)).toEqual(['a', 'b', 'c'])
    expect(rows.map((row) => JSON.parse(row.value).data.sequence)).toEqual(positions.map(String))
    const failed = postgres.transaction(async (tx) => {
      await appendToOutbox(tx, TOPICS.changes, [numbered('lost')])
      throw new Error('rolled back')
    })
    await expect(failed).rejects.toThrow('rolled back')
    expect(await waiting()).toBe(3)
  })

  it('carries whole entities on the change feed, keyed by kind and id', async () => {
    const now = new Date('2026-01-05T12:00:00Z')
    const state = { id: 'mer_1', name: 'Shop', currency: 'EUR', timeZone: 'UTC', version: 1 }
    await postgres.transaction((tx) =>
      appendChanges(tx, [{ kind: 'merchant', id: 'mer_1', state }], {
        ids: createSequentialIdSource(),
        now,
        source: 'test',
      }),
    )
    const { rows } = await postgres.query<{ id: bigint; key: string; value: string }>('select * from outbox')
    expect(rows[0]!.key).toBe('merchant:mer_1')
    expect(JSON.parse(rows[0]!.value)).toEqual({
      id: 'evt_00000001',
      type: 'change',
      schema: '1-0-0',
      occurredAt: now.toISOString(),
      receivedAt: now.toISOString(),
      source: 'test',
      key: 'merchant:mer_1',
      data: { kind: 'merchant', id: 'mer_1', sequence: rows[0]!.id.toString(), state },
    })
  })
})

describe('the outbox relay', () => {
  it('appends what is committed in order, and deletes it only then', async () => {
    const { log, behaviour, idsOf } = arrayLog()
    const stillThere: number[] = []
    behaviour.onAppended = async () => void stillThere.push(await waiting())
    await postgres.transaction((tx) =>
      appendToOutbox(
        tx,
        TOPICS.orders,
        Array.from({ length: 1200 }, (_, i) => entry(String(i))),
      ),
    )
    await startRelay(log)
    await until(async () => expect(await waiting()).toBe(0))
    expect(idsOf(TOPICS.orders)).toEqual(Array.from({ length: 1200 }, (_, i) => String(i)))
    expect(stillThere).toEqual([1200, 700, 200])
  })

  it('sends again what was appended when it died before the delete, and loses nothing', async () => {
    const { log, behaviour, idsOf } = arrayLog()
    await postgres.transaction((tx) => appendToOutbox(tx, TOPICS.orders, [entry('a'), entry('b')]))
    // The process dies between append and delete: its pool is gone when it comes to delete.
    const dying = connectPostgres({ url: test.url, applicationName: 'dying', logger })
    const died = new Promise<void>((done) => {
      behaviour.onAppended = async () => {
        behaviour.onAppended = async () => {}
        await postgres.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'dying'`,
        )
        void dying.close()
        done()
      }
    })
    const first = await startRelay(log, { postgres: dying })
    await died
    await first.stop()
    expect(await waiting()).toBe(2)

    await postgres.transaction((tx) => appendToOutbox(tx, TOPICS.orders, [entry('c')]))
    await startRelay(log)
    await until(async () => expect(await waiting()).toBe(0))
    expect(idsOf(TOPICS.orders)).toEqual(['a', 'b', 'a', 'b', 'c'])
  })

  it('works in one process at a time; another takes over when that one stops', async () => {
    const { log, appended, idsOf } = arrayLog()
    const leader = await startRelay(log)
    await postgres.transaction((tx) => appendToOutbox(tx, TOPICS.orders, [entry('a')]))
    await until(async () => expect(await waiting()).toBe(0))
    await startRelay(log)
    for (let i = 0; i < 20; i++) {
      await postgres.transaction((tx) => appendToOutbox(tx, TOPICS.orders, [entry(`b${i}`)]))
    }
    await until(async () => expect(await waiting()).toBe(0))
    expect(appended).toHaveLength(21)
    await leader.stop()
    await postgres.transaction((tx) => appendToOutbox(tx, TOPICS.orders, [entry('c')]))
    await until(async () => expect(await waiting()).toBe(0))
    expect(idsOf(TOPICS.orders).at(-1)).toBe('c')
  })

  it('is not held up by a topic that the log refuses, says so, and goes on when it is taken again', async () => {
    const { log, behaviour, idsOf } = arrayLog()
    let nowMs = 0
    behaviour.refuse = TOPICS.charges
    await postgres.transaction(async (tx) => {
      await appendToOutbox(tx, TOPICS.charges, [entry('stuck')])
      await appendToOutbox(tx, TOPICS.orders, [entry('free')])
    })
    const relay = await startRelay(log, { clock: () => nowMs })
    await until(() => expect(idsOf(TOPICS.orders)).toEqual(['free']))
    expect(relay.problem?.()).toBeUndefined()
    await until(() => {
      nowMs += 1000
      expect(relay.problem?.()).toMatch(/charges\.v1 takes nothing now/)
    })
    behaviour.refuse = undefined
    await until(() => expect(idsOf(TOPICS.charges)).toEqual(['stuck']))
    await until(() => expect(relay.problem?.()).toBeUndefined())
  })
})
