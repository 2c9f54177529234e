import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EventLog } from './event-log.js'
import { consumeInRanges, type LogRange } from './exactly-once.js'
import { type EventLogHarness, eventually, freshTopic, numbered, numberOf } from './suite-tools.js'

/** A store that drops a repeated token, and notices when the same token brings other records. */
class TokenStore {
  readonly ranges = new Map<string, number[]>()
  readonly conflicts: string[] = []

  insert(range: LogRange): void {
    const numbers = range.records.map(numberOf)
    const known = this.ranges.get(range.token)
    if (known && known.join() !== numbers.join()) this.conflicts.push(range.token)
    if (!known) this.ranges.set(range.token, numbers)
  }

  get numbers(): number[] {
    return [...this.ranges.values()].flat().toSorted((a, b) => a - b)
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)

/** `consumeInRanges` on every adapter of the event log. */
export function describeExactlyOnce(name: string, start: () => Promise<EventLogHarness>): void {
  describe(`exactly once in ranges: ${name}`, () => {
    let harness: EventLogHarness
    let log: EventLog
    beforeAll(async () => {
      harness = await start()
      log = harness.open()
    })
    afterAll(() => harness?.close())

    it('names each range by topic, partition and the offsets it holds, and commits behind it', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(25, 1))
      const ranges: LogRange[] = []
      const consumer = await consumeInRanges(log, {
        group: 'names',
        topics: [topic],
        maxRangeRecords: 10,
        lingerMs: 50,
        handler: async (range) => void ranges.push(range),
      })
      try {
        await eventually('all records', () => ranges.flatMap((range) => range.records).length === 25)
        await eventually(
          'the last commit',
          async () => (await log.committed('names', topic)).get(0)?.next === 25n,
        )
      } finally {
        await consumer.stop()
      }
      expect(ranges.flatMap((range) => range.records.map(numberOf))).toEqual(upTo(25))
      for (const range of ranges) {
        expect(range.records.length).toBeLessThanOrEqual(10)
        expect(range.token).toBe(`${topic}:0:${range.first}-${range.last}`)
        expect(range.first).toBe(range.records[0]!.offset)
        expect(range.last).toBe(range.records.at(-1)!.offset)
      }
      expect((await log.committed('names', topic)).get(0)).toEqual({ next: 25n, metadata: '' })
    })

    it('cuts the intended range again after a crash between intent and commit, in larger and smaller batches', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      const store = new TokenStore()
      await log.append(topic, numbered(30, 1))
      const crash = async (maxRangeRecords: number, written: boolean) => {
        const before = store.ranges.size
        let crashed: LogRange | undefined
        const consumer = await consumeInRanges(log, {
          group: 'crash',
          topics: [topic],
          maxRangeRecords,
          lingerMs: 50,
          retryDelayMs: 60_000,
          handler: async (range) => {
            if (written) store.insert(range)
            crashed = range
            throw new Error('killed here')
          },
        })
        await eventually('the crash', () => crashed !== undefined)
        await consumer.stop()
        return { token: crashed!.token, isNew: store.ranges.size > before }
      }
      const first = await crash(20, true)
      expect(first).toEqual({ token: `${topic}:0:0-19`, isNew: true })
      expect((await log.committed('crash', topic)).get(0)).toEqual({ next: 0n, metadata: '0-19' })
      await log.append(topic, numbered(30, 1, 30))
      expect(await crash(7, true)).toEqual({ token: `${topic}:0:0-19`, isNew: false })
      expect(await crash(50, false)).toEqual({ token: `${topic}:0:0-19`, isNew: false })

      const consumer = await consumeInRanges(log, {
        group: 'crash',
        topics: [topic],
        maxRangeRecords: 8,
        lingerMs: 10,
        handler: async (range) => store.insert(range),
      })
      try {
        await eventually('all records', () => store.numbers.length >= 60)
      } finally {
        await consumer.stop()
      }
      expect(store.conflicts).toEqual([])
      expect(store.numbers).toEqual(upTo(60))
    })

    it('stores every record once, whatever crashed before or after the write, with ranges of any size', async () => {
      const topic = await freshTopic(log, { partitions: 3 })
      const store = new TokenStore()
      const total = 1200
      const crashes = fc.sample(
        fc.record({
          size: fc.integer({ min: 3, max: 90 }),
          after: fc.integer({ min: 1, max: 6 }),
          written: fc.boolean(),
        }),
        { numRuns: 8, seed: 7 },
      )
      for (const [round, { size, after, written }] of crashes.entries()) {
        await log.append(topic, numbered(total / crashes.length, 20, (round * total) / crashes.length))
        let handled = 0
        let crashed = false
        const consumer = await consumeInRanges(log, {
          group: 'any',
          topics: [topic],
          maxRangeRecords: size,
          lingerMs: 5,
          retryDelayMs: 60_000,
          handler: async (range) => {
            const dies = crashed || ++handled >= after
            if (!dies || written) store.insert(range)
            crashed = dies
            if (dies) throw new Error('killed here')
          },
        })
        await eventually('the crash', () => crashed)
        await consumer.stop()
      }
      const consumer = await consumeInRanges(log, {
        group: 'any',
        topics: [topic],
        maxRangeRecords: 40,
        lingerMs: 5,
        handler: async (range) => store.insert(range),
      })
      try {
        await eventually('all records', () => store.numbers.length >= total)
      } finally {
        await consumer.stop()
      }
      expect(store.conflicts).toEqual([])
      expect(store.numbers).toEqual(upTo(total))
    })

    it('gives a range that failed again under the same token, and goes on when it succeeds', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(12, 1))
      const tokens: string[] = []
      const errors: unknown[] = []
      const consumer = await consumeInRanges(log, {
        group: 'again',
        topics: [topic],
        maxRangeRecords: 5,
        lingerMs: 50,
        retryDelayMs: 20,
        onError: (error) => errors.push(error),
        handler: async (range) => {
          tokens.push(range.token)
          if (tokens.length === 2 || tokens.length === 3) throw new Error('the store is away')
        },
      })
      try {
        await eventually('the last range', () => tokens.at(-1)?.endsWith('-11'))
      } finally {
        await consumer.stop()
      }
      expect(tokens[2]).toBe(tokens[1])
      expect(tokens[3]).toBe(tokens[1])
      expect(new Set(tokens).size).toBe(tokens.length - 2)
      expect(errors).toHaveLength(2)
    })
  })
}
