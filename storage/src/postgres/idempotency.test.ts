import { EndcapError } from '@endcap/contracts'
import type { Postgres, Transaction } from '@endcap/platform/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/index.js'
import { purgeIdempotencyKeys, withIdempotency } from './idempotency.js'

let test: TestPostgres
let postgres: Postgres

beforeAll(async () => {
  test = await startTestPostgres()
  postgres = test.postgres
  await postgres.query('create table created (name text not null)')
})
afterAll(() => test?.stop())
beforeEach(() => postgres.query('truncate created, idempotency_keys'))

const clock = () => Date.UTC(2026, 0, 5)
const request = { scope: 'key_1 POST /v1/merchants', key: 'k', bodyHash: 'b1' }
const create = (name: string) => async (tx: Transaction) => {
  await tx.query('insert into created values ($1)', [name])
  return { status: 201, response: { zebra: name, a: [1, { b: '0.10' }] } }
}
const call = (name: string, changes: Partial<typeof request> = {}, work = create(name)) =>
  withIdempotency({ postgres, clock }, { ...request, ...changes }, work)
const createdCount = async () => (await postgres.query('select 1 from created')).rowCount

describe('a creating call with an Idempotency-Key', () => {
  it('is done once and answers the same again, with its fields in the same order', async () => {
    const first = await call('first')
    const again = await call('again')
    expect(first).toEqual({
      status: 201,
      response: { zebra: 'first', a: [1, { b: '0.10' }] },
      replayed: false,
    })
    expect(again).toEqual({ ...first, replayed: true })
    expect(JSON.stringify(again.response)).toBe(JSON.stringify(first.response))
    expect(await createdCount()).toBe(1)
  })

  it('conflicts when its key comes with another body', async () => {
    await call('first')
    const error = await call('other', { bodyHash: 'b2' }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(EndcapError)
    expect((error as EndcapError).code).toBe('idempotency_conflict')
    expect(await createdCount()).toBe(1)
  })

  it('is another call under another key or from another caller', async () => {
    await call('a')
    await call('b', { key: 'k2' })
    await call('c', { scope: 'key_2 POST /v1/merchants' })
    expect(await createdCount()).toBe(3)
  })

  it('is done once when it comes many times at the same time, and all get the first answer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, i) => call(`caller ${i}`, { key: `k${i % 3}` })),
    )
    expect(answers.filter((answer) => !answer.replayed)).toHaveLength(3)
    for (const [i, answer] of answers.entries()) {
      const first = answers.find((other, j) => !other.replayed && j % 3 === i % 3)
      expect(answer.response).toEqual(first?.response)
    }
    expect(await createdCount()).toBe(3)
  })

  it('may be tried again after it failed, and its failure leaves nothing behind', async () => {
    const failing = async (tx: Transaction) => {
      await create('half')(tx)
      throw new EndcapError('validation_failed', 'not like this')
    }
    await expect(call('half', {}, failing)).rejects.toThrow('not like this')
    expect(await createdCount()).toBe(0)
    expect(await call('whole')).toMatchObject({ status: 201, replayed: false })
  })

  it('that waited for a failing one does the work itself', async () => {
    let fail: (error: Error) => void = () => {}
    const failure = new Promise<never>((_, reject) => {
      fail = reject
    })
    let begun: () => void = () => {}
    const hasBegun = new Promise<void>((done) => {
      begun = done
    })
    const first = call('first', {}, () => {
      begun()
      return failure
    })
    await hasBegun
    const second = call('second')
    fail(new Error('the first one fails'))
    await expect(first).rejects.toThrow('the first one fails')
    expect(await second).toMatchObject({ response: { zebra: 'second' }, replayed: false })
  })

  it('is forgotten once its answer is purged', async () => {
    await call('first')
    expect(await purgeIdempotencyKeys(postgres, new Date(clock()))).toBe(0)
    expect(await purgeIdempotencyKeys(postgres, new Date(clock() + 1))).toBe(1)
    expect(await call('again')).toMatchObject({ replayed: false })
  })
})
