import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from '../testing/harness.js'

let api: Harness
beforeAll(async () => {
  api = await startHarness()
})
beforeEach(async () => {
  await api.postgres.query('delete from rules')
  await api.postgres.query('delete from outbox')
})
afterAll(() => api.stop())

const DEFAULTS = {
  reserves: [],
  reserve: '0.01',
  reserveCpm: '0.1',
  squashing: 1,
  maxPerMerchant: 2,
  relevanceFloor: 0,
  merchantFrequencyCap: null,
  blocked: { merchants: [], categories: [], terms: [] },
  version: 0,
}
const whole = {
  reserves: [
    { name: 'home page', placement: 'home', reserve: '0.2', reserveCpm: '2' },
    { name: 'shoes', category: 'shoes', reserve: '0.15', reserveCpm: '0' },
  ],
  reserve: '0.05',
  reserveCpm: '0.5',
  squashing: 0.8,
  maxPerMerchant: 3,
  relevanceFloor: 0.2,
  merchantFrequencyCap: { day: 20 },
  blocked: { merchants: ['m1'], categories: ['weapons'], terms: ['free money'] },
}
const put = (body: unknown, key = api.operator) => api.call(key, 'PUT', '/v1/rules', body)
const get = (key = api.operator) => api.call(key, 'GET', '/v1/rules')
const RACERS = 6
const waiting = async (): Promise<number> => {
  const { rows } = await api.postgres.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rows[0]!.count
}
const announced = async () => (await api.changes()).filter((change) => change.kind === 'rules')

describe('GET /v1/rules', () => {
  it('200: tells the defaults before anybody has laid down anything', async () => {
    expect(await get()).toMatchObject({ status: 200, body: DEFAULTS })
  })

  it('401 and 403: without a key, and for every scope but the operator', async () => {
    expect((await get('ek_none')).status).toBe(401)
    const merchant = await api.merchant()
    for (const scope of ['serve', 'reports', `merchant:${merchant}`] as const)
      expect((await get(await api.key(scope))).status, scope).toBe(403)
  })
})

describe('PUT /v1/rules', () => {
  it('200: replaces the document, which can be read back, and announces it whole in the same transaction', async () => {
    const answer = await put(whole)
    const expected = {
      ...whole,
      reserves: [
        { ...whole.reserves[0], category: null },
        { ...whole.reserves[1], placement: null },
      ],
      version: 1,
    }
    expect(answer).toMatchObject({ status: 200, body: expected })
    expect((await get()).body).toEqual(answer.body)
    const [change, ...more] = await announced()
    expect(more).toEqual([])
    expect(change).toMatchObject({
      id: 'rules',
      state: {
        reserveMicros: '50000',
        merchantFrequencyCap: { day: 20 },
        blocked: whole.blocked,
        version: 1,
      },
    })
  })

  it('200: what a body leaves out falls back to its default', async () => {
    await put(whole)
    expect(await put({ squashing: 0.5 })).toMatchObject({
      status: 200,
      body: { ...DEFAULTS, squashing: 0.5, version: 2 },
    })
  })

  it('200: the same rules again are neither written nor announced', async () => {
    await put(whole)
    expect((await put({ ...whole, version: 1 })).body).toMatchObject({ version: 1 })
    expect(await announced()).toHaveLength(1)
    const unchanged = { reserve: '0.010000', reserveCpm: '0.10' }
    await put(unchanged)
    expect((await put(unchanged)).body).toMatchObject({ version: 2 })
  })

  it('409: a stale version changes nothing', async () => {
    await put({ ...whole, version: 0 })
    const stale = await put({ squashing: 0.5, version: 0 })
    expect(stale).toMatchObject({ status: 409, body: { code: 'conflict' } })
    expect((await get()).body).toMatchObject({ squashing: 0.8, version: 1 })
    expect(await announced()).toHaveLength(1)
  })

  it('409: of many that change the same version at once one is taken', async () => {
    let answers: Promise<{ status: number }[]> | undefined
    // Nobody can write until all of them wait, so that all who read without holding the rules have read the same version.
    await api.postgres.transaction(async (tx) => {
      await tx.query('lock table rules in exclusive mode')
      answers = Promise.all(
        Array.from({ length: RACERS }, (_, i) => put({ maxPerMerchant: i + 3, version: 0 })),
      )
      while ((await waiting()) < RACERS) await new Promise((wake) => setTimeout(wake, 5))
    })
    const statuses = (await answers!).map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, ...Array<number>(RACERS - 1).fill(409)])
    expect(await announced()).toHaveLength(1)
  })

  it.each([
    ['a number for money', { reserve: 0.05 }, '/reserve'],
    ['a negative reserve', { reserveCpm: '-1' }, '/reserveCpm'],
    ['a squashing above one', { squashing: 1.1 }, '/squashing'],
    ['no slot for a merchant', { maxPerMerchant: 0 }, '/maxPerMerchant'],
    ['a floor above one', { relevanceFloor: 2 }, '/relevanceFloor'],
    ['a cap without a window', { merchantFrequencyCap: {} }, '/merchantFrequencyCap'],
    ['a blank term', { blocked: { terms: [' '] } }, '/blocked/terms/0'],
    ['a term without a word', { blocked: { terms: ['靴', '?!'] } }, '/blocked/terms/1'],
    ['a term that nobody sees', { blocked: { terms: ['\u3164'] } }, '/blocked/terms/0'],
    ['a term of strokes between letters', { blocked: { terms: ['حذاء', 'ــ'] } }, '/blocked/terms/1'],
    ['an unknown field', { blocked: { brands: [] } }, '/blocked/brands'],
    [
      'a name used twice',
      { reserves: [rule('a', { placement: 'home' }), rule('a', { placement: 'search' })] },
      '/reserves/1/name',
    ],
    [
      'a placement and category used twice',
      { reserves: [rule('a', { placement: 'home' }), rule('b', { placement: 'home', category: null })] },
      '/reserves/1',
    ],
    [
      'a rule without a price',
      { reserves: [{ name: 'a', placement: 'home', reserve: '1' }] },
      '/reserves/0/reserveCpm',
    ],
  ])('422: for %s, and nothing is written', async (_, body, path) => {
    expect(await put(body)).toMatchObject({ status: 422, body: { errors: [{ path }] } })
    expect((await get()).body).toEqual(DEFAULTS)
    expect(await announced()).toEqual([])
  })

  it('401 and 403: without a key, and for every scope but the operator', async () => {
    expect((await put(whole, 'ek_none')).status).toBe(401)
    expect((await put(whole, await api.key('serve'))).status).toBe(403)
    expect((await get()).body).toEqual(DEFAULTS)
  })
})

function rule(name: string, over: object) {
  return { name, reserve: '0.1', reserveCpm: '0', ...over }
}
