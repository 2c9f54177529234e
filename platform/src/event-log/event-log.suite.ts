import type { Topic } from '@endcap/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RecordTooLargeError, UnknownTopicError } from './errors.js'
import { BackPressureError, type Batch, type EventLog, StaleConsumerError } from './event-log.js'
import { partitionOf } from './partitioner.js'
import {
  commitAll,
  type EventLogHarness,
  eventually,
  freshTopic,
  numbered,
  numberOf,
  take,
  withConsumers,
} from './suite-tools.js'

/** What every adapter of the event log must keep. */
export function describeEventLog(name: string, start: () => Promise<EventLogHarness>): void {
  describe(`event log: ${name}`, () => {
    let harness: EventLogHarness
    let log: EventLog
    beforeAll(async () => {
      harness = await start()
      log = harness.open()
    })
    afterAll(() => harness?.close())

    const readAll = async (topic: Topic) => {
      const records = []
      for (const { partition, first } of await log.ranges(topic)) {
        for await (const some of log.read(topic, partition, first)) records.push(...some)
      }
      return records
    }

    it('keeps the records of a key in the order they were appended, in the partition of that key', async () => {
      const topic = await freshTopic(log)
      const appends = Array.from({ length: 100 }, (_, index) =>
        log.append(topic, numbered(10, 7, index * 10)),
      )
      await Promise.all(appends)
      const taken = await take(log, 1000, { group: 'order', topics: [topic] })
      expect(taken).toHaveLength(1000)
      for (let key = 0; key < 7; key++) {
        const mine = taken.filter((record) => record.key === `key-${key}`)
        expect(mine.map(numberOf)).toEqual(mine.map(numberOf).toSorted((a, b) => a - b))
        expect(new Set(mine.map((record) => record.partition))).toEqual(
          new Set([partitionOf(`key-${key}`, 4)]),
        )
      }
    })

    it('gives keys, values, headers and deletions back as they were appended', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      const before = Date.now()
      await log.append(topic, [
        { key: '鍵 "1"', value: '{"text":"naïve ✓ 😀"}', headers: { reason: 'zu spät', empty: '' } },
        { key: 'gone', value: null },
        { key: '', value: '' },
      ])
      const [first, second, third] = await readAll(topic)
      expect(first).toMatchObject({
        offset: 0n,
        key: '鍵 "1"',
        value: '{"text":"naïve ✓ 😀"}',
        headers: { reason: 'zu spät', empty: '' },
      })
      expect(first!.appendedAtMs).toBeGreaterThanOrEqual(before - 1000)
      expect(first!.appendedAtMs).toBeLessThanOrEqual(Date.now() + 1000)
      expect(second).toMatchObject({ offset: 1n, key: 'gone', value: null, headers: {} })
      expect(third).toMatchObject({ offset: 2n, key: '', value: '' })
    })

    it('gives records again to the next consumer of a group that stopped before it committed them', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(10, 3))
      const seen: number[] = []
      const first = await log.consume({
        group: 'crash',
        topics: [topic],
        maxBatchRecords: 4,
        lingerMs: 10,
        handler: async (batch) => {
          seen.push(...batch.records.map(numberOf))
          if (batch.records[0]!.offset === 0n) await commitAll(batch)
        },
      })
      await eventually('all records', () => seen.length === 10)
      await first.stop()
      const again = await take(log, 6, { group: 'crash', topics: [topic] })
      expect(again.map(numberOf)).toEqual([4, 5, 6, 7, 8, 9])
    })

    it('gives a handler that throws the same records again, while other partitions go on', async () => {
      const topic = await freshTopic(log)
      const badPartition = partitionOf('key-0', 4)
      await log.append(topic, numbered(40, 8))
      const attempts: number[][] = []
      const errors: unknown[] = []
      const others = new Set<number>()
      await withConsumers(async (keep) => {
        keep(
          await log.consume({
            group: 'throws',
            topics: [topic],
            lingerMs: 10,
            retryDelayMs: 300,
            onError: (error) => errors.push(error),
            handler: async (batch) => {
              if (batch.partition !== badPartition) {
                for (const record of batch.records) others.add(numberOf(record))
                await commitAll(batch)
                return
              }
              attempts.push(batch.records.map(numberOf))
              if (attempts.length <= 2) throw new Error('not yet')
              await commitAll(batch)
            },
          }),
        )
        await eventually('the first attempt', () => attempts.length >= 1)
        // Appended while the bad partition waits for its next attempt.
        await log.append(topic, numbered(40, 8, 40))
        await eventually('a third attempt', () => attempts.length >= 3)
        const expected = numbered(80, 8).filter(
          (record) => partitionOf(record.key, 4) !== badPartition,
        ).length
        await eventually('the other partitions', () => others.size === expected)
      })
      expect(attempts[1]!.slice(0, attempts[0]!.length)).toEqual(attempts[0])
      expect(attempts[2]!.slice(0, attempts[0]!.length)).toEqual(attempts[0])
      expect(errors).toHaveLength(2)
      expect((errors[0] as Error).message).toBe('not yet')
    })

    it('goes on with the following records when a handler returns without committing', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(9, 2))
      const batches: number[][] = []
      await withConsumers(async (keep) => {
        const options = { group: 'own-offsets', topics: [topic], maxBatchRecords: 3, lingerMs: 10 }
        keep(
          await log.consume({
            ...options,
            handler: async ({ records }) => void batches.push(records.map(numberOf)),
          }),
        )
        await eventually('all records', () => batches.flat().length >= 9)
      })
      expect(batches).toEqual([
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
      ])
    })

    it('keeps a note with a committed offset and shows both to the next consumer', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(5, 1))
      expect((await log.committed('noted', topic)).size).toBe(0)
      const first: unknown[] = []
      await withConsumers(async (keep) => {
        keep(
          await log.consume({
            group: 'noted',
            topics: [topic],
            lingerMs: 10,
            handler: async (batch) => {
              first.push(batch.committed)
              await batch.commit(2n, '2-4 ✓')
              first.push(batch.committed)
            },
          }),
        )
        await eventually('a commit', () => first.length === 2)
      })
      expect(first).toEqual([undefined, { next: 2n, metadata: '2-4 ✓' }])
      expect(await log.committed('noted', topic)).toEqual(new Map([[0, { next: 2n, metadata: '2-4 ✓' }]]))
      expect((await log.committed('another', topic)).size).toBe(0)
      const second: unknown[] = []
      await withConsumers(async (keep) => {
        const handler = async (batch: Batch) => void second.push(batch.committed, batch.records.map(numberOf))
        keep(await log.consume({ group: 'noted', topics: [topic], lingerMs: 10, handler }))
        await eventually('a batch', () => second.length === 2)
      })
      expect(second).toEqual([{ next: 2n, metadata: '2-4 ✓' }, [2, 3, 4]])
    })

    it('refuses a note of more than 1 kB and keeps the offset as it was', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(1, 1))
      let refusal: unknown
      await withConsumers(async (keep) => {
        const handler = async (batch: Batch) => {
          refusal = await batch.commit(1n, 'x'.repeat(1025)).catch((error: unknown) => error)
        }
        keep(await log.consume({ group: 'long-note', topics: [topic], lingerMs: 10, handler }))
        await eventually('a refusal', () => refusal !== undefined)
      })
      expect(refusal).toBeInstanceOf(RangeError)
      expect((await log.committed('long-note', topic)).size).toBe(0)
    })

    it('replays everything to a new group, and only what comes later to one that starts at the latest', async () => {
      const topic = await freshTopic(log)
      await log.append(topic, numbered(100, 10))
      await take(log, 100, { group: 'replay-1', topics: [topic] })
      expect(
        (await take(log, 100, { group: 'replay-2', topics: [topic] }))
          .map(numberOf)
          .toSorted((a, b) => a - b),
      ).toEqual(Array.from({ length: 100 }, (_, n) => n))
      const late: number[] = []
      await withConsumers(async (keep) => {
        let next = 100
        keep(
          await log.consume({
            group: 'latest',
            topics: [topic],
            from: 'latest',
            lingerMs: 10,
            handler: async (batch) => void late.push(...batch.records.map(numberOf)),
          }),
        )
        // A consumer that is still joining may miss the first ones: append until one comes.
        await eventually('a late record', async () => {
          await log.append(topic, numbered(4, 10, next))
          next += 4
          return late.length > 0
        })
      })
      expect(Math.min(...late)).toBeGreaterThanOrEqual(100)
    })

    it('gives nothing before the offset that the caller says, though the group has committed nothing', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(50, 5))
      // An answer that takes long enough for the first records to be fetched from elsewhere meanwhile.
      const startOffset = async () => {
        for (let round = 0; round < 20; round++) await log.ranges(topic)
        return 40n
      }
      const taken = await take(log, 10, { group: 'ahead', topics: [topic], startOffset })
      expect(taken.map((record) => record.offset)).toEqual(
        Array.from({ length: 10 }, (_, n) => 40n + BigInt(n)),
      )
    })

    it('starts where the caller says, before what the group committed', async () => {
      const topic = await freshTopic(log, { partitions: 2 })
      await log.append(topic, numbered(200, 20))
      await take(log, 200, { group: 'own-start', topics: [topic] })
      const ranges = await log.ranges(topic)
      const start = (partition: number) => ranges[partition]!.end - (partition === 0 ? 7n : 3n)
      const options = {
        group: 'own-start',
        topics: [topic],
        startOffset: async (_: Topic, partition: number) => start(partition),
      }
      const taken = await take(log, 10, options)
      expect(taken).toHaveLength(10)
      for (const { partition, end } of ranges) {
        const offsets = taken
          .filter((record) => record.partition === partition)
          .map((record) => record.offset)
        expect(offsets[0]).toBe(start(partition))
        expect(offsets.at(-1)).toBe(end - 1n)
      }
    })

    it('starts at the first record for a caller whose offset lies beyond the end of a log that lost some', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(5, 1))
      const options = { group: 'beyond', topics: [topic], startOffset: async () => 500n }
      expect((await take(log, 5, options)).map(numberOf)).toEqual([0, 1, 2, 3, 4])
    })

    it('starts at the first record when the group has committed beyond the end of a log that lost some', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(5, 1))
      let committed: Promise<void> | undefined
      await withConsumers(async (keep) => {
        const handler = async (batch: Batch) => {
          committed = batch.commit(500n, '500-600')
          await committed
        }
        keep(await log.consume({ group: 'lost', topics: [topic], lingerMs: 10, handler }))
        await eventually('a commit', () => committed !== undefined)
        await committed
      })
      const seen: unknown[] = []
      await withConsumers(async (keep) => {
        const handler = async (batch: Batch) => void seen.push(batch.committed, batch.records.map(numberOf))
        keep(await log.consume({ group: 'lost', topics: [topic], lingerMs: 10, handler }))
        await eventually('a batch', () => seen.length > 0)
      })
      expect(seen).toEqual([undefined, [0, 1, 2, 3, 4]])
    })

    it('refuses appends when too much waits, keeps all that it took and nothing that it refused', async () => {
      const narrow = await harness.openNarrow(50_000)
      try {
        const topic = await freshTopic(narrow, { partitions: 1 })
        const padding = 'x'.repeat(10_000)
        const outcomes = await Promise.allSettled(
          Array.from({ length: 20 }, (_, n) =>
            narrow.append(topic, [{ key: 'k', value: JSON.stringify({ n, padding }) }]),
          ),
        )
        const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
        expect(refused.length).toBeGreaterThan(0)
        for (const { reason } of refused) expect(reason).toBeInstanceOf(BackPressureError)
        const kept = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n] : []))
        await eventually('room', async () => {
          try {
            await narrow.append(topic, [{ key: 'k', value: JSON.stringify({ n: 99, padding }) }])
            return true
          } catch (error) {
            expect(error).toBeInstanceOf(BackPressureError)
            return false
          }
        })
        const stored: number[] = []
        for await (const records of narrow.read(topic, 0, 0n)) stored.push(...records.map(numberOf))
        expect(stored).toEqual([...kept, 99])
      } finally {
        await narrow.close()
      }
    })

    it('refuses a record that is too large, together with its whole call', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      const call = log.append(topic, [...numbered(1, 1), { key: 'big', value: 'x'.repeat(1_000_000) }])
      await expect(call).rejects.toBeInstanceOf(RecordTooLargeError)
      expect(await log.ranges(topic)).toEqual([{ partition: 0, first: 0n, end: 0n }])
    })

    it('takes calls of many megabytes', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      const value = 'x'.repeat(500_000)
      await log.append(
        topic,
        Array.from({ length: 12 }, () => ({ key: 'k', value })),
      )
      const records = await readAll(topic)
      expect(records).toHaveLength(12)
      expect(records.every((record) => record.value === value)).toBe(true)
    })

    it('shares the partitions of a topic between the consumers of a group, and passes them on', async () => {
      const [one, two] = [harness.open(), harness.open()]
      const topic = await freshTopic(log)
      const owners: Record<'one' | 'two', Set<number>> = { one: new Set(), two: new Set() }
      const seen = new Set<number>()
      const consumeAs = (owner: 'one' | 'two', on: EventLog) =>
        on.consume({
          group: 'shared',
          topics: [topic],
          lingerMs: 10,
          handler: async (batch) => {
            for (const record of batch.records) seen.add(numberOf(record))
            await commitAll(batch)
            owners[owner].add(batch.partition)
          },
        })
      await withConsumers(async (keep) => {
        const first = keep(await consumeAs('one', one))
        keep(await consumeAs('two', two))
        let next = 0
        const send = async () => {
          await log.append(topic, numbered(16, 16, next))
          next += 16
        }
        await eventually('both have partitions of their own', async () => {
          owners.one.clear()
          owners.two.clear()
          await send()
          await eventually('these records', () => seen.size === next)
          return (
            owners.one.size === 2 &&
            owners.two.size === 2 &&
            new Set([...owners.one, ...owners.two]).size === 4
          )
        })
        await first.stop()
        await eventually('the other takes over', async () => {
          owners.two.clear()
          await send()
          await eventually('these records', () => seen.size === next)
          return owners.two.size === 4
        })
      })
    })

    it('refuses the commit of a consumer that no longer has the partition', async () => {
      const [one, two] = [harness.open(), harness.open()]
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(5, 1))
      let stale: Batch | undefined
      const first = await one.consume({
        group: 'stale',
        topics: [topic],
        lingerMs: 10,
        handler: async (batch) => {
          stale = batch
        },
      })
      await eventually('a batch', () => stale !== undefined)
      await first.stop()
      await take(two, 5, { group: 'stale', topics: [topic] })
      expect(stale!.isStale()).toBe(true)
      await expect(stale!.commit(1n, 'too late')).rejects.toBeInstanceOf(StaleConsumerError)
      expect(await log.committed('stale', topic)).toEqual(new Map([[0, { next: 5n, metadata: '' }]]))
    })

    it('finishes the batch in hand, its commit included, before a consumer is stopped', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(3, 1))
      let begun = false
      let finish: () => void = () => {}
      const gate = new Promise<void>((resolve) => {
        finish = resolve
      })
      const consumer = await log.consume({
        group: 'stopping',
        topics: [topic],
        lingerMs: 10,
        handler: async (batch) => {
          begun = true
          await gate
          await commitAll(batch, 'done')
        },
      })
      await eventually('a batch', () => begun)
      const stopped = consumer.stop()
      finish()
      await stopped
      await consumer.failed
      expect(await log.committed('stopping', topic)).toEqual(new Map([[0, { next: 3n, metadata: 'done' }]]))
    })

    it('reads any range of a partition without a group', async () => {
      const topic = await freshTopic(log, { partitions: 2 })
      await log.append(topic, numbered(3000, 1))
      const partition = partitionOf('key-0', 2)
      const read = async (from: bigint, to?: bigint) => {
        const numbers: number[] = []
        for await (const records of log.read(topic, partition, from, to))
          numbers.push(...records.map(numberOf))
        return numbers
      }
      expect(await log.ranges(topic)).toEqual(
        [0, 1].map((number) => ({ partition: number, first: 0n, end: number === partition ? 3000n : 0n })),
      )
      expect(await read(0n)).toEqual(Array.from({ length: 3000 }, (_, n) => n))
      expect(await read(1990n, 2003n)).toEqual(Array.from({ length: 13 }, (_, n) => 1990 + n))
      expect(await read(2999n)).toEqual([2999])
      expect(await read(3000n)).toEqual([])
      expect(await read(10n, 10n)).toEqual([])
      expect(await read(2998n, 9999n)).toEqual([2998, 2999])
    })

    it('can stop reading a range in the middle', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(3000, 1))
      let first: number | undefined
      for await (const records of log.read(topic, 0, 5n)) {
        first = numberOf(records[0]!)
        break
      }
      expect(first).toBe(5)
    })

    it('keeps at least the last record of each key of a compacted topic, at its own offset', async () => {
      const topic = await freshTopic(log, { partitions: 1, compacted: true })
      await log.append(topic, numbered(100, 10))
      const everything = await readAll(topic)
      const compacted = await harness.compact(topic)
      const left = await readAll(topic)
      expect(left.slice(-10)).toEqual(everything.slice(-10))
      if (compacted) expect(left).toHaveLength(10)
      await log.append(topic, numbered(1, 1, 100))
      expect((await readAll(topic)).at(-1)).toMatchObject({ offset: 100n, key: 'key-0' })
      const taken = await take(log, left.length + 1, { group: 'compacted', topics: [topic] })
      expect(taken.slice(-11).map(numberOf)).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100])
    })

    it('leaves a topic that exists as it is', async () => {
      const topic = await freshTopic(log, { partitions: 3 })
      await log.append(topic, numbered(3, 3))
      await log.ensureTopics([{ name: topic, partitions: 5, compacted: false, retentionMs: 0 }])
      const ranges = await log.ranges(topic)
      expect(ranges).toHaveLength(3)
      expect(ranges.reduce((sum, { first, end }) => sum + (end - first), 0n)).toBe(3n)
    })

    it('says that an unknown topic is unknown', async () => {
      const topic = 'endcap.test-unknown' as Topic
      await expect(log.ranges(topic)).rejects.toBeInstanceOf(UnknownTopicError)
      await expect(
        log.consume({ group: 'unknown', topics: [topic], handler: async () => {} }),
      ).rejects.toBeInstanceOf(UnknownTopicError)
    })

    it('passes its own check', () => log.check())
  })
}
