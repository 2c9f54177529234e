import { spawn } from 'node:child_process'
import {
  appendFile,
  cp,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { systemClock, type Topic } from '@endcap/contracts'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DiskIo, diskIo } from './embedded/files.js'
import { createEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.js'
import { CorruptLogError, LogClosedError, LogWriteError } from './errors.js'
import { BackPressureError, type LogRecord } from './event-log.js'
import { commitAll, eventually, freshTopic, numbered, numberOf, take } from './suite-tools.js'

const HOUR_MS = 3_600_000

describe('embedded log on its disk', () => {
  let dir: string
  let open_: EmbeddedLog[]
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'endcap-log-'))
    open_ = []
  })
  afterEach(async () => {
    await Promise.allSettled(open_.map((log) => log.close()))
    await rm(dir, { recursive: true, force: true })
  })

  const openLog = (options: Partial<EmbeddedLogOptions> = {}): EmbeddedLog => {
    const log = createEmbeddedLog({ dir, clock: systemClock, maintainEveryMs: 0, ...options })
    open_.push(log)
    return log
  }
  const readAll = async (log: EmbeddedLog, topic: Topic): Promise<LogRecord[]> => {
    const records: LogRecord[] = []
    for (const { partition, first } of await log.ranges(topic)) {
      for await (const some of log.read(topic, partition, first)) records.push(...some)
    }
    return records
  }
  const segmentsOf = async (topic: Topic): Promise<string[]> => {
    const folder = join(dir, 'topics', topic, '0')
    return (await readdir(folder))
      .filter((name) => name.endsWith('.seg'))
      .toSorted()
      .map((name) => join(folder, name))
  }

  it('has every record whose append resolved after its process was killed, five times over', async () => {
    const topic = 'endcap.test-killed' as Topic
    const acknowledged = new Set<number>()
    let from = 0
    for (let round = 0; round < 5; round++) {
      const script = fileURLToPath(new URL('./fixtures/append-process.ts', import.meta.url))
      const child = spawn(process.execPath, ['--import', 'tsx', script, dir, topic, String(from)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const before = acknowledged.size
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (/^\d+$/.test(line)) acknowledged.add(Number(line))
      })
      const ended = new Promise((resolve) => child.stdout.once('close', resolve))
      await eventually('appends', () => acknowledged.size > before + 100 + round * 53)
      child.kill('SIGKILL')
      await ended
      const log = openLog({ segmentBytes: 32 * 1024 })
      const stored = (await readAll(log, topic)).map(numberOf)
      await log.close()
      const storedSet = new Set(stored)
      expect([...acknowledged].filter((n) => !storedSet.has(n))).toEqual([])
      expect(storedSet.size).toBe(stored.length)
      from = Math.max(...stored, ...acknowledged) + 1000
    }
  })

  it('drops a last record that was cut anywhere, keeps all before it, and appends in its place', async () => {
    const log = openLog()
    const topic = await freshTopic(log, { partitions: 1 })
    await log.append(topic, numbered(3, 1))
    await log.close()
    const [segment] = await segmentsOf(topic)
    const whole = (await stat(segment!)).size
    const recordBytes = whole / 3
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: recordBytes - 1 }), fc.boolean(), async (cut, zeros) => {
        const copy = join(dir, 'copy')
        await cp(join(dir, 'topics'), join(copy, 'topics'), { recursive: true })
        const torn = segment!.replace(dir, copy)
        await truncate(torn, whole - cut)
        if (zeros) await appendFile(torn, Buffer.alloc(cut))
        const damaged = openLog({ dir: copy })
        expect((await readAll(damaged, topic)).map(numberOf)).toEqual([0, 1])
        await damaged.append(topic, numbered(1, 1, 7))
        expect((await readAll(damaged, topic)).map(({ offset }) => offset)).toEqual([0n, 1n, 2n])
        await damaged.close()
        await rm(copy, { recursive: true })
      }),
      { numRuns: 15 },
    )
  })

  it('refuses to open with damage before the last record, naming the file and the offset', async () => {
    const log = openLog()
    const topic = await freshTopic(log, { partitions: 1 })
    await log.append(topic, numbered(100, 1))
    await log.close()
    const [segment] = await segmentsOf(topic)
    const size = (await stat(segment!)).size
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: Math.trunc(size * 0.95) }), async (position) => {
        const bytes = await readFile(segment!)
        const good = bytes[position]!
        bytes[position] = good ^ 0x40
        await writeFile(segment!, bytes)
        const damaged = openLog()
        const error = await damaged.check().catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(CorruptLogError)
        expect((error as CorruptLogError).file).toBe(segment)
        expect((error as CorruptLogError).position).toBeLessThanOrEqual(position)
        expect((error as CorruptLogError).message).toContain(`offset ${(error as CorruptLogError).offset}`)
        bytes[position] = good
        await writeFile(segment!, bytes)
      }),
      { numRuns: 20 },
    )
    expect(await readAll(openLog(), topic)).toHaveLength(100)
  })

  it('fails the reader, not silently, when a finished segment is damaged', async () => {
    const log = openLog({ segmentBytes: 2000 })
    const topic = await freshTopic(log, { partitions: 1 })
    for (let n = 0; n < 100; n++) await log.append(topic, numbered(1, 1, n))
    const [first] = await segmentsOf(topic)
    const file = await open(first!, 'r+')
    await file.write(Buffer.from('damage'), 0, 6, 300)
    await file.close()
    await expect(readAll(log, topic)).rejects.toBeInstanceOf(CorruptLogError)
    const consumer = await log.consume({ group: 'g', topics: [topic], lingerMs: 0, handler: commitAll })
    await expect(consumer.failed).rejects.toBeInstanceOf(CorruptLogError)
  })

  it('opens finished segments by their saved index, and without it just the same', async () => {
    const log = openLog({ segmentBytes: 1000 })
    const topic = await freshTopic(log, { partitions: 1 })
    for (let n = 0; n < 100; n++) await log.append(topic, numbered(1, 1, n))
    await log.close()
    const folder = join(dir, 'topics', topic, '0')
    const indexes = (await readdir(folder)).filter((name) => name.endsWith('.index'))
    expect(indexes.length).toBeGreaterThan(3)
    await rm(join(folder, indexes[0]!))
    await writeFile(join(folder, indexes[1]!), '123\n{"size":5}')
    await writeFile(join(folder, indexes[2]!), '')
    expect((await readAll(openLog({ segmentBytes: 1000 }), topic)).map(numberOf)).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    )
  })

  it('keeps the progress of groups over a restart', async () => {
    const log = openLog()
    const topic = await freshTopic(log, { partitions: 1 })
    await log.append(topic, numbered(10, 1))
    await take(log, 10, { group: 'kept', topics: [topic] })
    await log.close()
    const again = openLog()
    expect((await again.committed('kept', topic)).get(0)).toEqual({ next: 10n, metadata: '' })
    await again.append(topic, numbered(1, 1, 10))
    expect((await take(again, 1, { group: 'kept', topics: [topic] })).map(numberOf)).toEqual([10])
  })

  it('keeps the offsets file small however often groups commit', async () => {
    const log = openLog()
    const topic = await freshTopic(log, { partitions: 1 })
    await log.append(topic, numbered(3500, 1))
    await take(log, 3500, { group: 'busy', topics: [topic], maxBatchRecords: 1, lingerMs: 0 })
    const bytes = async () => {
      const folder = join(dir, 'offsets')
      const sizes = await Promise.all(
        (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size),
      )
      return sizes.reduce((sum, size) => sum + size, 0)
    }
    expect(await bytes()).toBeGreaterThan(300_000)
    await log.maintain()
    expect(await bytes()).toBeLessThan(5000)
    await log.close()
    expect((await openLog().committed('busy', topic)).get(0)?.next).toBe(3500n)
  })

  describe('with a disk that fails', () => {
    /** The real disk, until told to fail: then it takes `room` bytes more and reports the error that a full disk does. */
    function failingDisk() {
      const state = { room: Number.POSITIVE_INFINITY, sync: false, truncate: false }
      let unsynced: { position: number; length: number }[] = []
      const io: DiskIo = {
        write: async (file, bytes, from, length, position) => {
          const taken = Math.min(length, state.room)
          state.room -= taken
          if (taken > 0) {
            unsynced.push({ position, length: taken })
            return diskIo.write(file, bytes, from, taken, position)
          }
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        },
        sync: async (file) => {
          const lost = unsynced
          unsynced = []
          if (state.sync) {
            // As the kernel may: after a failed sync the written pages are gone.
            for (const { position, length } of lost)
              await diskIo.write(file, Buffer.alloc(length), 0, length, position)
            throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
          }
          await diskIo.sync(file)
        },
        truncate: async (file, size) => {
          if (state.truncate) throw Object.assign(new Error('EIO: i/o error, ftruncate'), { code: 'EIO' })
          await diskIo.truncate(file, size)
        },
      }
      return { state, io }
    }

    it.each([0, 1, 10, 60, 100])(
      'refuses appends when it is full after %i bytes, and goes on when there is room',
      async (room) => {
        const { state, io } = failingDisk()
        const log = openLog({ io })
        const topic = await freshTopic(log, { partitions: 1 })
        await log.append(topic, numbered(5, 1))
        state.room = room
        await expect(log.append(topic, numbered(5, 1, 5))).rejects.toBeInstanceOf(LogWriteError)
        state.room = 0
        await expect(log.append(topic, numbered(5, 1, 5), 'written')).rejects.toThrow(/ENOSPC/)
        await expect(log.check()).rejects.toThrow(/ENOSPC/)
        expect((await readAll(log, topic)).map(numberOf)).toEqual([0, 1, 2, 3, 4])
        state.room = Number.POSITIVE_INFINITY
        await log.check()
        await log.append(topic, numbered(2, 1, 20))
        await log.close()
        expect((await readAll(openLog(), topic)).map(numberOf)).toEqual([0, 1, 2, 3, 4, 20, 21])
      },
    )

    it('leaves no half record behind even when cutting it off fails at first', async () => {
      const { state, io } = failingDisk()
      const log = openLog({ io })
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(1, 1))
      state.room = 30
      state.truncate = true
      await expect(log.append(topic, numbered(9, 1, 1))).rejects.toBeInstanceOf(LogWriteError)
      state.room = Number.POSITIVE_INFINITY
      await expect(log.append(topic, numbered(9, 1, 1))).rejects.toThrow(/ftruncate/)
      state.truncate = false
      await log.append(topic, numbered(1, 1, 50))
      await log.close()
      expect((await readAll(openLog(), topic)).map(numberOf)).toEqual([0, 50])
    })

    it('shows no record to readers before it is synced, and keeps what was written when a sync fails', async () => {
      const { state, io } = failingDisk()
      const log = openLog({ io, commitIntervalMs: 5 })
      const topic = await freshTopic(log, { partitions: 1 })
      const seen: number[] = []
      const consumer = await log.consume({
        group: 'g',
        topics: [topic],
        lingerMs: 0,
        handler: async (batch) => void seen.push(...batch.records.map(numberOf)),
      })
      state.sync = true
      await log.append(topic, numbered(2, 1), 'written')
      await expect(log.append(topic, numbered(1, 1, 2), 'synced')).rejects.toBeInstanceOf(LogWriteError)
      await expect(log.check()).rejects.toThrow(/EIO/)
      expect(seen).toEqual([])
      state.sync = false
      await eventually('the written records', () => seen.length >= 2)
      expect(seen.slice(0, 2)).toEqual([0, 1])
      await log.check()
      await consumer.stop()
      await log.close()
      expect((await readAll(openLog(), topic)).slice(0, 2).map(numberOf)).toEqual([0, 1])
    })

    it('refuses more than it may hold in memory while nothing can be synced', async () => {
      const { state, io } = failingDisk()
      const log = openLog({ io, maxPendingBytes: 20_000 })
      const topic = await freshTopic(log, { partitions: 1 })
      state.sync = true
      const record = { key: 'k', value: 'x'.repeat(1000) }
      await expect(
        (async () => {
          for (let n = 0; n < 100; n++) await log.append(topic, [record], 'written')
        })(),
      ).rejects.toBeInstanceOf(BackPressureError)
      state.sync = false
      await eventually('room', () =>
        log.append(topic, [record], 'written').then(
          () => true,
          () => false,
        ),
      )
    })
  })

  it('shows readers only what the finished sync had covered, not what was written while it ran', async () => {
    const gates: (() => void)[] = []
    let gated = false
    const io: DiskIo = {
      ...diskIo,
      sync: async (file) => {
        if (gated) await new Promise<void>((resolve) => gates.push(resolve))
        await diskIo.sync(file)
      },
    }
    const log = openLog({ io, commitIntervalMs: 1 })
    const topic = await freshTopic(log, { partitions: 1 })
    const seen: number[] = []
    const consumer = await log.consume({
      group: 'g',
      topics: [topic],
      lingerMs: 0,
      handler: async (batch) => void seen.push(...batch.records.map(numberOf)),
    })
    gated = true
    const first = log.append(topic, numbered(1, 1), 'synced')
    await eventually('the first sync', () => gates.length === 1)
    await log.append(topic, numbered(1, 1, 1), 'written')
    gates[0]!()
    await first
    await eventually('the second sync', () => gates.length === 2)
    await eventually('the first record', () => seen.length > 0)
    expect(seen).toEqual([0])
    gated = false
    gates[1]!()
    await eventually('the second record', () => seen.length === 2)
    await consumer.stop()
  })

  it('lets many appends share one sync', async () => {
    let syncs = 0
    const io: DiskIo = {
      ...diskIo,
      sync: (file) => {
        syncs++
        return diskIo.sync(file)
      },
    }
    const log = openLog({ io })
    const topic = await freshTopic(log, { partitions: 1 })
    const before = syncs
    await Promise.all(Array.from({ length: 500 }, (_, n) => log.append(topic, numbered(1, 1, n), 'synced')))
    expect(syncs - before).toBeGreaterThan(0)
    expect(syncs - before).toBeLessThan(20)
  })

  describe('retention', () => {
    it('deletes whole segments that are too old, and readers go on at the first record that is left', async () => {
      let now = 1_000_000_000_000
      const log = openLog({ segmentBytes: 2000, clock: () => now })
      const topic = await freshTopic(log, { partitions: 1, retentionMs: HOUR_MS })
      for (let n = 0; n < 100; n++) await log.append(topic, numbered(1, 1, n))
      now += 2 * HOUR_MS
      for (let n = 100; n < 150; n++) await log.append(topic, numbered(1, 1, n))
      const before = await log.bytes()
      await log.maintain()
      expect(await log.bytes()).toBeLessThan(before)
      const [range] = await log.ranges(topic)
      expect(range!.first).toBeGreaterThan(60n)
      // A segment goes only when its newest record is too old.
      expect(range!.first).toBeLessThanOrEqual(100n)
      const left = Array.from({ length: 150 - Number(range!.first) }, (_, n) => Number(range!.first) + n)
      expect((await readAll(log, topic)).map(numberOf)).toEqual(left)
      expect((await take(log, left.length, { group: 'g', topics: [topic] })).map(numberOf)).toEqual(left)
      await log.close()
      expect((await readAll(openLog(), topic)).map(numberOf)).toEqual(left)
    })

    it('keeps everything of a topic without retention', async () => {
      let now = 1_000_000_000_000
      const log = openLog({ segmentBytes: 2000, clock: () => now })
      const topic = await freshTopic(log, { partitions: 1, retentionMs: 0 })
      for (let n = 0; n < 100; n++) await log.append(topic, numbered(1, 1, n))
      now += 10_000 * HOUR_MS
      await log.maintain()
      expect(await readAll(log, topic)).toHaveLength(100)
    })
  })

  describe('compaction', () => {
    it('keeps exactly the last record of each key, over any sequence of writes, compactions and restarts', async () => {
      const step = fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record({
            key: fc.integer({ min: 0, max: 6 }),
            size: fc.integer({ min: 0, max: 400 }),
          }),
        },
        { weight: 1, arbitrary: fc.constant('compact' as const) },
        { weight: 1, arbitrary: fc.constant('restart' as const) },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
          const home = await mkdtemp(join(dir, 'run-'))
          const options = { dir: home, segmentBytes: 1500 }
          let log = openLog(options)
          const topic = await freshTopic(log, { partitions: 1, compacted: true })
          const last = new Map<string, { offset: bigint; value: string }>()
          let offset = 0n
          for (const action of [...steps, 'restart', 'compact'] as const) {
            if (action === 'compact') await log.maintain()
            else if (action === 'restart') {
              await log.close()
              log = openLog(options)
            } else {
              const value = JSON.stringify({ n: Number(offset), padding: 'x'.repeat(action.size) })
              await log.append(topic, [{ key: `k${action.key}`, value }])
              last.set(`k${action.key}`, { offset, value })
              offset++
            }
          }
          const records = await readAll(log, topic)
          const newest = new Map(
            records.map((record) => [record.key, { offset: record.offset, value: record.value }]),
          )
          expect(newest).toEqual(last)
          const offsets = records.map((record) => record.offset)
          expect(offsets).toEqual(offsets.toSorted((a, b) => Number(a - b)))
          expect((await log.ranges(topic))[0]!.end).toBe(offset)
          await log.close()
        }),
        { numRuns: 25 },
      )
    })

    it('keeps a deletion for a day, then drops it', async () => {
      let now = 1_000_000_000_000
      const log = openLog({ clock: () => now })
      const topic = await freshTopic(log, { partitions: 1, compacted: true })
      await log.append(topic, [...numbered(2, 2), { key: 'key-0', value: null }])
      await log.maintain()
      expect((await readAll(log, topic)).map(({ key, value }) => [key, value])).toEqual([
        ['key-1', '{"n":1}'],
        ['key-0', null],
      ])
      now += 25 * HOUR_MS
      await log.append(topic, numbered(3, 1, 100))
      await log.maintain()
      await log.append(topic, [{ key: 'key-9', value: null }])
      expect((await readAll(log, topic)).map(({ key, value }) => [key, value])).toEqual([
        ['key-1', '{"n":1}'],
        ['key-0', '{"n":102}'],
        ['key-9', null],
      ])
      now += 25 * HOUR_MS
      await log.append(topic, numbered(3, 1, 200))
      await log.maintain()
      expect((await readAll(log, topic)).map(({ key }) => key)).toEqual(['key-1', 'key-0'])
    })

    it('carries a reader over that stands in the middle of what is compacted', async () => {
      const log = openLog({ segmentBytes: 2000 })
      const topic = await freshTopic(log, { partitions: 1, compacted: true })
      for (let n = 0; n < 200; n++) await log.append(topic, numbered(1, 10, n))
      const seen: number[] = []
      for await (const records of log.read(topic, 0, 0n)) {
        seen.push(...records.map(numberOf))
        if (seen.length < 150) await log.maintain()
      }
      expect(seen).toEqual(seen.toSorted((a, b) => a - b))
      expect(seen.slice(-10)).toEqual([190, 191, 192, 193, 194, 195, 196, 197, 198, 199])
    })

    it('finishes what a crash interrupted between the new segment and the deletion of the old ones', async () => {
      const log = openLog({ segmentBytes: 1000 })
      const topic = await freshTopic(log, { partitions: 1, compacted: true })
      for (let n = 0; n < 100; n++) await log.append(topic, numbered(1, 10, n))
      const sources = await segmentsOf(topic)
      const saved = await Promise.all(sources.map((path) => readFile(path)))
      await log.maintain()
      await log.close()
      const after = await segmentsOf(topic)
      for (const [index, path] of sources.entries()) await writeFile(path, saved[index]!)
      const again = openLog({ segmentBytes: 1000 })
      expect((await readAll(again, topic)).map(numberOf)).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99])
      expect(await segmentsOf(topic)).toEqual(after)
      await again.append(topic, numbered(1, 1, 100))
      expect((await readAll(again, topic)).at(-1)!.offset).toBe(100n)
    })
  })

  it('refuses everything after it was closed', async () => {
    const log = openLog()
    const topic = await freshTopic(log)
    await log.close()
    await expect(log.append(topic, numbered(1, 1))).rejects.toBeInstanceOf(LogClosedError)
    await expect(log.ranges(topic)).rejects.toBeInstanceOf(LogClosedError)
    await expect(log.check()).rejects.toBeInstanceOf(LogClosedError)
  })

  it('syncs on close what was only written', async () => {
    const log = openLog({ commitIntervalMs: 60_000 })
    const topic = await freshTopic(log, { partitions: 1 })
    await log.append(topic, numbered(3, 1), 'written')
    await log.close()
    expect(await readAll(openLog(), topic)).toHaveLength(3)
  })
})
