import type { Topic } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import type { Batch, CommittedOffset, ConsumeOptions, EventLog, LogRecord } from './event-log.js'
import { consumeInRanges, type LogRange } from './exactly-once.js'

const TOPIC = 'endcap.test' as Topic

/** Hands out exactly the batches that a test wants, as a log does around a rebalance. */
async function scripted(committed: CommittedOffset, maxRangeRecords: number) {
  let handler: ConsumeOptions['handler'] | undefined
  const ranges: LogRange[] = []
  const commits: CommittedOffset[] = []
  const log: Pick<EventLog, 'consume'> = {
    consume: async (options) => {
      handler = options.handler
      return { stop: async () => {}, failed: new Promise<never>(() => {}) }
    },
  }
  let progress = committed
  await consumeInRanges(log as EventLog, {
    group: 'g',
    topics: [TOPIC],
    maxRangeRecords,
    lingerMs: 0,
    handler: async (range) => void ranges.push(range),
  })
  const give = (first: number, last: number) => {
    const records: LogRecord[] = Array.from({ length: last - first + 1 }, (_, index) => ({
      offset: BigInt(first + index),
      key: 'k',
      value: '{}',
      headers: {},
      appendedAtMs: 0,
    }))
    const batch: Batch = {
      topic: TOPIC,
      partition: 0,
      records,
      get committed() {
        return progress
      },
      isStale: () => false,
      heartbeat: async () => {},
      commit: async (next, metadata = '') => {
        progress = { next, metadata }
        commits.push(progress)
      },
    }
    return handler!(batch)
  }
  const cut = () => ranges.map(({ token, records }) => [token, records.map(({ offset }) => Number(offset))])
  return { give, cut, commits }
}

const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, n) => first + n)

describe('ranges around a rebalance', () => {
  it('holds each record of an intended range once when the partition leaves and comes back in the middle of it', async () => {
    const { give, cut, commits } = await scripted({ next: 0n, metadata: '0-19' }, 8)
    await give(0, 7)
    await give(0, 7)
    await give(8, 15)
    expect(commits).toEqual([])
    await give(16, 23)
    expect(cut()).toEqual([
      [`${TOPIC}:0:0-19`, numbers(0, 19)],
      [`${TOPIC}:0:20-23`, numbers(20, 23)],
    ])
    expect(commits).toEqual([
      { next: 20n, metadata: '' },
      { next: 20n, metadata: '20-23' },
      { next: 24n, metadata: '' },
    ])
  })

  it('goes on behind an intended range that retention has deleted', async () => {
    const { give, cut } = await scripted({ next: 0n, metadata: '0-19' }, 8)
    await give(30, 33)
    expect(cut()).toEqual([[`${TOPIC}:0:30-33`, numbers(30, 33)]])
  })

  it('skips records of a batch that were handled before the batch came again', async () => {
    const { give, cut } = await scripted({ next: 4n, metadata: '4-6' }, 3)
    await give(0, 8)
    expect(cut()).toEqual([
      [`${TOPIC}:0:4-6`, numbers(4, 6)],
      [`${TOPIC}:0:7-8`, numbers(7, 8)],
    ])
  })
})
