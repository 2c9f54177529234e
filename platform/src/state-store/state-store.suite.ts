import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { StateStoreUsageError } from './errors.js'
import type { StateStore } from './state-store.js'

/** How the suite handles one adapter. */
export interface StateStoreHarness {
  /** Stores over the same state: at least two, on connections of their own where the adapter has connections. */
  open(): Promise<readonly [StateStore, StateStore, ...StateStore[]]>
  /** Lets time pass for the times to live. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

const MINUTE_MS = 60_000
const MAX = 2n ** 63n - 1n

/** What every state store promises. */
export function describeStateStore(name: string, makeHarness: () => Promise<StateStoreHarness>): void {
  describe(`state store: ${name}`, () => {
    let harness: StateStoreHarness
    let stores: readonly [StateStore, StateStore, ...StateStore[]]
    let store: StateStore
    let run = 0
    let key: string

    beforeAll(async () => {
      harness = await makeHarness()
      stores = await harness.open()
      store = stores[0]
    })
    afterAll(async () => {
      await Promise.all((stores ?? []).map((each) => each.close()))
      await harness?.close()
    })
    beforeEach(() => {
      key = `key-${++run}`
    })
    const among = (index: number): StateStore => stores[index % stores.length]!

    it('answers its check', async () => {
      await expect(store.check()).resolves.toBeUndefined()
    })

    describe('counters', () => {
      it('lose no increment that many make at once', async () => {
        await Promise.all(Array.from({ length: 100 }, (_, i) => among(i).increment(key, BigInt(i), 0)))
        expect(await store.getCounter(key)).toBe(4950n)
      })

      it('start from 0 and go below it', async () => {
        expect(await store.getCounter(key)).toBe(0n)
        expect(await store.increment(key, -7n, 0)).toBe(-7n)
      })

      it('never pass their limit when 100 callers add at once, and refuse only what does not fit', async () => {
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_, i) => among(i).incrementWithin(key, 7n, 350n, MINUTE_MS)),
        )
        const granted = answers.filter((answer) => answer !== undefined)
        expect(granted).toHaveLength(50)
        expect(new Set(granted).size).toBe(50)
        expect(await store.getCounter(key)).toBe(350n)
      })

      it('never pass their limit with amounts of any size, over several keys at once', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.tuple(fc.nat({ max: 2 }), fc.bigInt({ min: 1n, max: 2n ** 61n })), { maxLength: 30 }),
            fc.bigInt({ min: 0n, max: 2n ** 62n }),
            async (additions, limit) => {
              const keys = [0, 1, 2].map((n) => `key-${++run}-${n}`)
              const answers = await Promise.all(
                additions.map(([k, by], i) => among(i).incrementWithin(keys[k]!, by, limit, MINUTE_MS)),
              )
              for (const [k, each] of keys.entries()) {
                const sum = additions.reduce(
                  (total, [of, by], i) => (of === k && answers[i] !== undefined ? total + by : total),
                  0n,
                )
                expect(await store.getCounter(each)).toBe(sum)
                expect(sum <= limit).toBe(true)
              }
            },
          ),
          { numRuns: 25, seed: 7 },
        )
      })

      it('stay as they were, and absent when they were, after a refusal', async () => {
        expect(await store.incrementWithin(key, 11n, 10n, MINUTE_MS)).toBeUndefined()
        expect(await store.get(key)).toBeUndefined()
        await store.increment(key, 4n, 0)
        expect(await store.incrementWithin(key, 7n, 10n, MINUTE_MS)).toBeUndefined()
        expect(await store.incrementWithin(key, 6n, 10n, MINUTE_MS)).toBe(10n)
        expect(await store.incrementWithin(key, -3n, 10n, MINUTE_MS)).toBe(7n)
      })

      it('compare negative sums and limits as numbers', async () => {
        await store.increment(key, -100n, 0)
        expect(await store.incrementWithin(key, 5n, -99n, 0)).toBeUndefined()
        expect(await store.incrementWithin(key, 1n, -99n, 0)).toBe(-99n)
        expect(await store.incrementWithin(key, 90n, -8n, 0)).toBe(-9n)
        expect(await store.incrementWithin(key, 5n, 1n, 0)).toBe(-4n)
      })

      it('are exact to the last of 64 bits', async () => {
        expect(await store.increment(key, MAX - 2n, 0)).toBe(9_223_372_036_854_775_805n)
        expect(await store.incrementWithin(key, 2n, MAX - 1n, 0)).toBeUndefined()
        expect(await store.incrementWithin(key, 1n, MAX - 1n, 0)).toBe(MAX - 1n)
        expect(await store.increment(key, 1n, 0)).toBe(MAX)
        expect(await store.incrementWithin(key, 1n, MAX, 0)).toBeUndefined()
        await expect(store.increment(key, 1n, 0)).rejects.toThrow(StateStoreUsageError)
        expect(await store.getCounter(key)).toBe(MAX)
        await expect(store.increment(`${key}-b`, 2n ** 63n, 0)).rejects.toThrow(StateStoreUsageError)
      })

      it('expire a time to live after they were created, whatever is added meanwhile', async () => {
        await store.increment(key, 1n, 40_000)
        await harness.pass(25_000)
        await store.increment(key, 1n, 40_000)
        await harness.pass(25_000)
        expect(await store.getCounter(key)).toBe(0n)
        expect(await store.increment(key, 5n, 40_000)).toBe(5n)
      })
    })

    describe('values', () => {
      it('are read back as they were written, until they expire or are deleted', async () => {
        await store.set(key, 'grün "quoted" \u0000 \n', 20_000)
        expect(await stores[1].get(key)).toBe('grün "quoted" \u0000 \n')
        await harness.pass(30_000)
        expect(await store.get(key)).toBeUndefined()
        await store.set(key, '', 0)
        expect(await store.get(key)).toBe('')
        await store.delete(key)
        expect(await store.get(key)).toBeUndefined()
      })

      it('come in the order of the keys, absent ones as undefined', async () => {
        await store.set(`${key}-a`, '1', 0)
        await store.set(`${key}-c`, '3', 0)
        await store.hashSet(`${key}-h`, { field: 'x' })
        expect(await store.getMany([`${key}-c`, `${key}-b`, `${key}-h`, `${key}-a`])).toEqual([
          '3',
          undefined,
          undefined,
          '1',
        ])
        expect(await store.getMany([])).toEqual([])
      })

      it('are set by exactly one of 100 who find them absent, and by one more after the expiry', async () => {
        const claim = () =>
          Promise.all(Array.from({ length: 100 }, (_, i) => among(i).setIfAbsent(key, String(i), 30_000)))
        const first = await claim()
        expect(first.filter(Boolean)).toHaveLength(1)
        expect(await store.get(key)).toBe(String(first.indexOf(true)))
        await harness.pass(40_000)
        expect((await claim()).filter(Boolean)).toHaveLength(1)
      })

      it('are replaced by exactly one of 100 who expect the same', async () => {
        await store.set(key, 'old', 0)
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_, i) => among(i).compareAndSet(key, 'old', `new-${i}`, 0)),
        )
        expect(answers.filter(Boolean)).toHaveLength(1)
        expect(await store.get(key)).toBe(`new-${answers.indexOf(true)}`)
      })

      it('are compared with absence, and absence with them', async () => {
        expect(await store.compareAndSet(key, '', 'x', 0)).toBe(false)
        expect(await store.compareAndSet(key, undefined, '', 20_000)).toBe(true)
        expect(await store.compareAndSet(key, undefined, 'y', 0)).toBe(false)
        await harness.pass(30_000)
        expect(await store.compareAndSet(key, '', 'z', 0)).toBe(false)
        expect(await store.compareAndSet(key, undefined, 'z', 0)).toBe(true)
      })
    })

    describe('hashes', () => {
      it('merge the fields that are set and lose those that are deleted', async () => {
        await store.hashSet(key, { a: '1', b: '2', constructor: 'c' })
        await stores[1].hashSet(key, { b: '3' })
        await store.hashSet(key, {})
        await store.hashDelete(key, ['a', 'missing'])
        await store.hashDelete(key, [])
        expect(await store.hashGetAll(key)).toEqual(
          new Map([
            ['b', '3'],
            ['constructor', 'c'],
          ]),
        )
        await store.hashDelete(key, ['b', 'constructor'])
        expect(await store.hashGetAll(key)).toEqual(new Map())
      })
    })

    describe('windows', () => {
      it('admit no more than the limit when 100 members arrive at once', async () => {
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_, i) => among(i).windowAdd(key, `m${i}`, 1_000_000, 1000, 10)),
        )
        expect(answers.filter((answer) => answer.allowed)).toHaveLength(10)
        expect(await store.windowCount(key, 1_000_000, 1000)).toBe(10)
      })

      it('count the same member once, at its first time', async () => {
        expect(await store.windowAdd(key, 'm', 1000, 1000, 1)).toEqual({ allowed: true, count: 1 })
        expect(await store.windowAdd(key, 'm', 1900, 1000, 1)).toEqual({ allowed: true, count: 1 })
        expect(await store.windowAdd(key, 'n', 1900, 1000, 1)).toEqual({ allowed: false, count: 1 })
        expect(await store.windowAdd(key, 'n', 2001, 1000, 1)).toEqual({ allowed: true, count: 1 })
      })

      it('keep a member that is exactly as old as the window', async () => {
        await store.windowAdd(key, 'm', 1000, 1000, 5)
        expect(await store.windowCount(key, 2000, 1000)).toBe(1)
        expect(await store.windowCount(key, 2001, 1000)).toBe(0)
        expect(await store.windowAdd(key, 'n', 2000, 1000, 5)).toEqual({ allowed: true, count: 2 })
        expect(await store.windowAdd(key, 'o', 2001, 1000, 5)).toEqual({ allowed: true, count: 2 })
      })

      it('admit nothing at a limit of 0', async () => {
        expect(await store.windowAdd(key, 'm', 1000, 1000, 0)).toEqual({ allowed: false, count: 0 })
      })
    })

    describe('several windows', () => {
      const MINUTES = (minutes: number, limit: number) => ({ windowMs: minutes * MINUTE_MS, limit })
      const LIMITS = [MINUTES(1, 1), MINUTES(10, 3)]
      const admit = (member: string, minute: number, ...keys: string[]) =>
        store.windowsAdmit(keys, member, minute * MINUTE_MS, LIMITS)

      it('admit no more than the limit when 100 members arrive at once', async () => {
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_, i) =>
            among(i).windowsAdmit([key], `m${i}`, 1_000_000, [{ windowMs: 1000, limit: 10 }]),
          ),
        )
        expect(answers.filter((refusing) => refusing.length === 0)).toHaveLength(10)
      })

      it('refuse by each of them, counting only what was admitted', async () => {
        const refused: number[] = []
        for (const minute of [100, 100.5, 101.1, 102, 102.2, 103.5, 110.5]) {
          if ((await admit(`at-${minute}`, minute, key)).length > 0) refused.push(minute)
        }
        expect(refused).toEqual([100.5, 102, 103.5])
      })

      it('admit to all keys or to none, and name those that refuse', async () => {
        const [a, b] = [`${key}-a`, `${key}-b`]
        expect(await admit('first', 100, a)).toEqual([])
        expect(await admit('second', 100, a, b)).toEqual([a])
        expect(await admit('third', 100, b)).toEqual([])
        expect(await admit('fourth', 100.1, a, b)).toEqual([a, b])
      })

      it('count the same member once and do not refuse it again', async () => {
        for (let time = 0; time < 3; time++) expect(await admit('m', 100 + time, key)).toEqual([])
        expect(await admit('n', 101.5, key)).toEqual([])
      })

      it('count what lies within them on either side, in whatever order members come', async () => {
        expect(await admit('late', 200, key)).toEqual([])
        expect(await admit('a minute before', 199, key)).toEqual([key])
        expect(await admit('before that', 198.9, key)).toEqual([])
      })
    })

    it('refuses a key that is used as two different things, and a broken time to live', async () => {
      await store.hashSet(key, { a: '1' })
      await expect(store.increment(key, 1n, 0)).rejects.toThrow(StateStoreUsageError)
      await expect(store.get(key)).rejects.toThrow(StateStoreUsageError)
      await store.set(`${key}-text`, 'words', 0)
      await expect(store.increment(`${key}-text`, 1n, 0)).rejects.toThrow(StateStoreUsageError)
      await expect(store.set(key, 'x', -1)).rejects.toThrow(StateStoreUsageError)
      await expect(store.increment(`${key}-c`, 1n, 0.5)).rejects.toThrow(StateStoreUsageError)
    })
  })
}
