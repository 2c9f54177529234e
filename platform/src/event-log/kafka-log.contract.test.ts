import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kafkaAvailable, startKafka, type TestKafka } from '../testing/kafka.js'
import { LogWriteError } from './errors.js'
import type { EventLog } from './event-log.js'
import { describeEventLog } from './event-log.suite.js'
import { describeExactlyOnce } from './exactly-once.suite.js'
import { createKafkaLog } from './kafka-log.js'
import {
  type EventLogHarness,
  eventually,
  freshTopic,
  numbered,
  numberOf,
  withConsumers,
} from './suite-tools.js'

const available = await kafkaAvailable()
let dir: string
let kafka: TestKafka

beforeAll(async () => {
  if (!available) return
  dir = await mkdtemp(join(tmpdir(), 'endcap-kafka-'))
  kafka = await startKafka({ dir })
}, 400_000)
afterAll(async () => {
  if (!available) return
  await kafka.stop()
  await rm(dir, { recursive: true, force: true })
})

async function kafkaHarness(): Promise<EventLogHarness> {
  const logs: EventLog[] = []
  const open = (maxPendingBytes?: number) => {
    const log = createKafkaLog({
      brokers: kafka.brokers,
      clientId: `test-${logs.length}`,
      sessionTimeoutMs: 6000,
      ...(maxPendingBytes !== undefined && { maxPendingBytes }),
    })
    logs.push(log)
    return log
  }
  return {
    open: () => open(),
    openNarrow: async (maxPendingBytes) => open(maxPendingBytes),
    // When a broker compacts is its own affair: what can be seen is that the topic asks for it.
    compact: async (topic) => {
      const admin = new Kafka({
        brokers: kafka.brokers,
        clientId: 'test',
        logLevel: logLevel.NOTHING,
      }).admin()
      await admin.connect()
      try {
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ type: 2, name: topic, configNames: ['cleanup.policy'] }],
        })
        expect(resources[0]!.configEntries[0]!.configValue).toBe('compact')
      } finally {
        await admin.disconnect()
      }
      return false
    },
    close: async () => {
      await Promise.all(logs.map((log) => log.close()))
    },
  }
}

describe.runIf(available)('on a real broker', () => {
  describeEventLog('kafka', kafkaHarness)
  describeExactlyOnce('kafka', kafkaHarness)

  describe('event log: kafka, processes and faults', () => {
    let log: EventLog
    beforeAll(() => {
      // A broker takes long to come back on a busy machine.
      const patience = { appendTimeoutMs: 120_000, sessionTimeoutMs: 6000 }
      log = createKafkaLog({ brokers: kafka.brokers, clientId: 'faults', ...patience })
    })
    afterAll(() => log?.close())

    it('shares the partitions between two processes, and gives one the work of the other that was killed', async () => {
      const topic = await freshTopic(log)
      const processes = [startConsumerProcess(topic), startConsumerProcess(topic)]
      let next = 0
      const send = async () => {
        await log.append(topic, numbered(16, 16, next))
        next += 16
      }
      const seen = () => new Set(processes.flatMap(({ numbers }) => numbers)).size
      try {
        await eventually('both have work', async () => {
          for (const { partitions } of processes) partitions.clear()
          await send()
          await eventually('these records', () => seen() === next)
          const [one, two] = processes.map(({ partitions }) => partitions)
          return one!.size === 2 && two!.size === 2
        })
        processes[0]!.child.kill('SIGKILL')
        await send()
        await eventually('the survivor has taken over', () => seen() === next)
        await eventually('the survivor has all', async () => {
          processes[1]!.partitions.clear()
          await send()
          await eventually('these records', () => seen() === next)
          return processes[1]!.partitions.size === 4
        })
      } finally {
        await Promise.all(processes.map(({ end }) => end()))
      }
    })

    it('loses and repeats nothing and keeps the order over a restart of the broker in the middle', async () => {
      const topic = await freshTopic(log, { partitions: 2 })
      const handled: number[] = []
      await withConsumers(async (keep) => {
        keep(
          await log.consume({
            group: 'restart',
            topics: [topic],
            lingerMs: 10,
            handler: async (batch) => {
              handled.push(...batch.records.map(numberOf))
              await batch.commit(batch.records.at(-1)!.offset + 1n)
            },
          }),
        )
        let sent = 0
        let sending = true
        const sender = (async () => {
          while (sending) {
            await log.append(topic, numbered(10, 6, sent))
            sent += 10
          }
        })()
        // Awaited below; a failure until then is not an unhandled one.
        sender.catch(() => {})
        await eventually('records before', () => handled.length > 200)
        await kafka.kill()
        const sentWhenKilled = sent
        await kafka.restart()
        await eventually('appends after', () => sent > sentWhenKilled + 200, 120_000)
        sending = false
        await sender
        await eventually('all records', () => new Set(handled).size === sent, 60_000)
        const stored: number[] = []
        for (const { partition, first } of await log.ranges(topic)) {
          const mine: number[] = []
          for await (const records of log.read(topic, partition, first)) mine.push(...records.map(numberOf))
          expect(mine).toEqual(mine.toSorted((a, b) => a - b))
          stored.push(...mine)
        }
        // The producer's own retries are idempotent, so that nothing is stored twice.
        expect(stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, n) => n))
      })
    }, 300_000)

    it('refuses an append when the broker stays away, and takes it when the caller tries again later', async () => {
      const topic = await freshTopic(log, { partitions: 1 })
      await log.append(topic, numbered(1, 1))
      const impatient = createKafkaLog({
        brokers: kafka.brokers,
        clientId: 'impatient',
        appendTimeoutMs: 2000,
      })
      try {
        await impatient.append(topic, numbered(1, 1, 1))
        await kafka.stop()
        await expect(impatient.append(topic, numbered(1, 1, 2))).rejects.toBeInstanceOf(LogWriteError)
        await expect(impatient.check()).rejects.toThrow()
        await kafka.restart()
        await impatient.append(topic, numbered(1, 1, 3))
        await impatient.check()
      } finally {
        await impatient.close()
      }
      const stored: number[] = []
      for await (const records of log.read(topic, 0, 0n)) stored.push(...records.map(numberOf))
      expect(stored).toEqual([0, 1, 3])
    }, 120_000)
  })
})

interface ConsumerProcess {
  readonly child: ChildProcess
  readonly numbers: number[]
  readonly partitions: Set<number>
  end(): Promise<void>
}

function startConsumerProcess(topic: string): ConsumerProcess {
  const script = fileURLToPath(new URL('./fixtures/consume-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, kafka.brokers[0]!, topic, 'processes'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const numbers: number[] = []
  const partitions = new Set<number>()
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const { partition, n } = JSON.parse(line) as { partition: number; n: number }
    partitions.add(partition)
    numbers.push(n)
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    child,
    numbers,
    partitions,
    end: () => {
      child.kill('SIGKILL')
      return ended
    },
  }
}
