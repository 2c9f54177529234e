import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { systemClock, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DiskIo, diskIo } from './embedded/files.js'
import { createEmbeddedLog, type EmbeddedLog } from './embedded-log.js'
import { LogWriteError } from './errors.js'
import type { EventLog } from './event-log.js'
import type { LogLogger } from './logger.js'
import {
  createBoundedSink,
  createDirectSink,
  createSpool,
  type Spool,
  SpoolFullError,
  type SpoolOptions,
} from './spool.js'
import { eventually, numbered, numberOf } from './suite-tools.js'

const TOPIC = TOPICS.interactions
const silent: LogLogger = { debug() {}, info() {}, warn() {}, error() {} }

describe('spool', () => {
  let dir: string
  let target: EmbeddedLog
  let started: Spool[]
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'endcap-spool-'))
    target = createEmbeddedLog({ dir: join(dir, 'target'), clock: systemClock, maintainEveryMs: 0 })
    await target.ensureTopics(TOPIC_SPECS)
    started = []
  })
  afterEach(async () => {
    await Promise.allSettled(started.map((spool) => spool.stop()))
    await target.close()
    await rm(dir, { recursive: true, force: true })
  })

  async function startSpool(options: Partial<SpoolOptions> = {}): Promise<Spool> {
    const spool = createSpool({
      dir: join(dir, 'spool'),
      target,
      clock: systemClock,
      maxBytes: 10_000_000,
      logger: silent,
      lingerMs: 5,
      drainMs: 100,
      ...options,
    })
    await spool.start()
    started.push(spool)
    return spool
  }

  /** The target behind a broker that can go away. */
  function detachable(): { log: EventLog; away: boolean } {
    const state = {
      away: false,
      log: new Proxy<EventLog>(target, {
        get: (log, name: keyof EventLog) => {
          if (name === 'append' && state.away)
            return () => Promise.reject(new LogWriteError('the broker is away'))
          const member = log[name]
          return typeof member === 'function' ? member.bind(log) : member
        },
      }),
    }
    return state
  }

  async function arrived(): Promise<number[]> {
    const numbers: number[] = []
    for (const { partition, first } of await target.ranges(TOPIC)) {
      for await (const records of target.read(TOPIC, partition, first)) numbers.push(...records.map(numberOf))
    }
    return numbers
  }
  const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)
  const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)

  it('brings every event to the target in the order of its key, and then holds none', async () => {
    const spool = await startSpool()
    for (let n = 0; n < 500; n += 10) await spool.append(TOPIC, numbered(10, 7, n))
    await eventually('all events', async () => (await arrived()).length === 500)
    const numbers = await arrived()
    expect(sorted(numbers)).toEqual(upTo(500))
    for (let key = 0; key < 7; key++) {
      const mine = numbers.filter((n) => n % 7 === key)
      expect(mine).toEqual(sorted(mine))
    }
    await eventually('an empty spool', async () => (await spool.backlog()).records === 0n)
  })

  it('takes events while the target is away, and sends them when it is back, after a restart too', async () => {
    const broker = detachable()
    broker.away = true
    const spool = await startSpool({ target: broker.log })
    await spool.append(TOPIC, numbered(100, 5))
    expect(spool.problem()).toBeUndefined()
    expect(await spool.backlog()).toMatchObject({ records: 100n })
    await spool.stop()
    expect(await arrived()).toEqual([])
    const again = await startSpool({ target: broker.log })
    await again.append(TOPIC, numbered(10, 5, 100))
    broker.away = false
    await eventually('all events', async () => new Set(await arrived()).size === 110)
    expect(sorted([...new Set(await arrived())])).toEqual(upTo(110))
  })

  it('sends what is left when it is stopped', async () => {
    const spool = await startSpool({ lingerMs: 200, drainMs: 10_000 })
    await spool.append(TOPIC, numbered(50, 5))
    await spool.stop()
    expect(sorted(await arrived())).toEqual(upTo(50))
  })

  it('refuses events beyond its size, says why, loses none that it took, and takes more when it has sent some', async () => {
    const broker = detachable()
    broker.away = true
    const maxBytes = 400_000
    const spool = await startSpool({ target: broker.log, maxBytes })
    const padding = 'x'.repeat(2000)
    const padded = (n: number) => [{ key: `k${n % 3}`, value: JSON.stringify({ n, padding }) }]
    let taken = 0
    let takenWhenSellingEnded = 0
    const refusal = await (async () => {
      for (;;) {
        await spool.append(TOPIC, padded(taken), 'written')
        taken++
        if (spool.problem() === undefined) takenWhenSellingEnded = taken
      }
    })().catch((error: unknown) => error)
    // A part of the room is kept for what comes of slots that are sold already.
    expect(takenWhenSellingEnded).toBeGreaterThan(taken * 0.7)
    expect(takenWhenSellingEnded).toBeLessThan(taken * 0.9)
    expect(refusal).toBeInstanceOf(SpoolFullError)
    expect(spool.problem()).toMatch(/full/)
    expect(taken).toBeGreaterThan(150)
    expect((await spool.backlog()).bytes).toBeLessThanOrEqual(maxBytes)
    await expect(spool.append(TOPIC, numbered(maxBytes / 10, 1), 'written')).rejects.toBeInstanceOf(
      SpoolFullError,
    )
    broker.away = false
    await eventually('room again', () => spool.problem() === undefined)
    await spool.append(TOPIC, numbered(1, 1, taken))
    await eventually('all events', async () => new Set(await arrived()).size === taken + 1)
    expect(sorted([...new Set(await arrived())])).toEqual(upTo(taken + 1))
    expect((await spool.backlog()).bytes).toBeLessThan(maxBytes / 2)
  })

  it('stays within its size however much passes through it', async () => {
    const maxBytes = 500_000
    const spool = await startSpool({ maxBytes })
    const value = JSON.stringify({ n: 1, padding: 'x'.repeat(10_000) })
    let largest = 0
    for (let round = 0; round < 300; round++) {
      await eventually('room', () =>
        spool.append(TOPIC, [{ key: 'k', value }], 'written').then(
          () => true,
          () => false,
        ),
      )
      if (round % 20 === 0) largest = Math.max(largest, (await spool.backlog()).bytes)
    }
    expect(largest).toBeLessThanOrEqual(maxBytes * 1.1)
    await eventually('all events', async () => (await arrived()).length === 300)
  })

  it('reports a full disk as a full spool, and is well again when the disk has room', async () => {
    let full = false
    const io: DiskIo = {
      ...diskIo,
      write: async (...call) => {
        if (full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
        return diskIo.write(...call)
      },
    }
    const spool = await startSpool({ io })
    await spool.append(TOPIC, numbered(1, 1))
    full = true
    await expect(spool.append(TOPIC, numbered(1, 1, 1))).rejects.toBeInstanceOf(SpoolFullError)
    expect(spool.problem()).toMatch(/ENOSPC/)
    full = false
    // Nobody appends while there is a problem: the spool finds out by itself.
    await eventually('well again', () => spool.problem() === undefined)
    await spool.append(TOPIC, numbered(1, 1, 2))
    await eventually('both events', async () => (await arrived()).length === 2)
    expect(await arrived()).toEqual([0, 2])
  })

  it('is not ready before it is started nor after it is stopped', async () => {
    const spool = createSpool({
      dir: join(dir, 'spool'),
      target,
      clock: systemClock,
      maxBytes: 1e6,
      logger: silent,
    })
    expect(spool.problem()).toMatch(/not started/)
    await expect(spool.append(TOPIC, numbered(1, 1))).rejects.toBeInstanceOf(SpoolFullError)
  })

  it('loses no event that it took when its process is killed, three times over', async () => {
    const acknowledged = new Set<number>()
    await target.close()
    for (let round = 0; round < 3; round++) {
      const script = fileURLToPath(new URL('./fixtures/spool-process.ts', import.meta.url))
      const child = spawn(process.execPath, ['--import', 'tsx', script, dir, String(round * 1_000_000)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const before = acknowledged.size
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (/^\d+$/.test(line)) acknowledged.add(Number(line))
      })
      const ended = new Promise((resolve) => child.stdout.once('close', resolve))
      await eventually('appends', () => acknowledged.size > before + 300)
      child.kill('SIGKILL')
      await ended
    }
    target = createEmbeddedLog({ dir: join(dir, 'target'), clock: systemClock, maintainEveryMs: 0 })
    await startSpool()
    await eventually('all events', async () => {
      const there = new Set(await arrived())
      return [...acknowledged].every((n) => there.has(n))
    })
  })
})

describe('direct sink', () => {
  it('appends to the log itself and reports its disk', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'endcap-direct-'))
    let full = false
    const io: DiskIo = {
      ...diskIo,
      write: (...call) =>
        full ? Promise.reject(new Error('ENOSPC: no space left on device')) : diskIo.write(...call),
    }
    const log = createEmbeddedLog({ dir, clock: systemClock, io, maintainEveryMs: 0 })
    await log.ensureTopics(TOPIC_SPECS)
    const sink = createDirectSink(log)
    await sink.append(TOPIC, numbered(1, 1))
    expect(sink.problem()).toBeUndefined()
    full = true
    await expect(sink.append(TOPIC, numbered(1, 1))).rejects.toBeInstanceOf(SpoolFullError)
    expect(sink.problem()).toMatch(/ENOSPC/)
    full = false
    await eventually('well again', () => sink.problem() === undefined)
    await log.close()
    await rm(dir, { recursive: true, force: true })
  })
})

describe('bounded sink', () => {
  const MAX_BYTES = 200_000
  let dir: string
  let log: EmbeddedLog
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'endcap-bounded-'))
    log = createEmbeddedLog({
      dir,
      clock: systemClock,
      partitions: 1,
      segmentBytes: 16_384,
      maintainEveryMs: 0,
    })
    await log.ensureTopics(TOPIC_SPECS)
  })
  afterEach(async () => {
    await log.close()
    await rm(dir, { recursive: true, force: true })
  })

  it('says so before its share of the disk is gone, then refuses, and takes no more of the disk than that', async () => {
    const sink = await createBoundedSink(log, MAX_BYTES)
    while (sink.problem() === undefined) await sink.append(TOPIC, numbered(10, 1))
    expect(sink.problem()).toMatch(/the log is full/)
    const toldAt = await log.bytes()
    expect(toldAt).toBeLessThan(0.9 * MAX_BYTES)
    const flood = async () => {
      for (;;) await sink.append(TOPIC, numbered(10, 1))
    }
    await expect(flood()).rejects.toBeInstanceOf(SpoolFullError)
    expect(await log.bytes()).toBeGreaterThan(toldAt)
    expect(await log.bytes()).toBeLessThan(1.1 * MAX_BYTES)
  })

  it('knows from the first moment that what is there is too much, and sells again when room was made', async () => {
    for (let from = 0; from < 2_000; from += 100) await log.append(TOPIC, numbered(100, 1, from), 'synced')
    const sink = await createBoundedSink(log, await log.bytes())
    expect(sink.problem()).toMatch(/the log is full/)
    await log.dropBefore(TOPIC, 0, 1_500n)
    await eventually('room again', () => sink.problem() === undefined)
    await sink.append(TOPIC, numbered(1, 1))
  })
})
