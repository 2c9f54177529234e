import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { createEmbeddedLog, type EmbeddedLog, type LogRecord } from '@endcap/platform/event-log'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { appendDeadLetters, listDeadLetters, replayDeadLetters, showDeadLetter } from './index.js'

const NOW_MS = Date.UTC(2026, 0, 5)

describe('dead letters', () => {
  let dir: string
  let log: EmbeddedLog
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'endcap-dead-letters-'))
    log = createEmbeddedLog({ dir, clock: () => NOW_MS, partitions: 1, maintainEveryMs: 0 })
    await log.ensureTopics(TOPIC_SPECS)
  })
  afterEach(async () => {
    await log.close()
    await rm(dir, { recursive: true, force: true })
  })

  const recordsOf = async (topic: (typeof TOPICS)[keyof typeof TOPICS]): Promise<LogRecord[]> => {
    const found: LogRecord[] = []
    for await (const records of log.read(topic, 0, 0n)) found.push(...records)
    return found
  }
  const giveUp = (records: readonly LogRecord[], reason = 'not_json') =>
    appendDeadLetters(
      log,
      records.map((record) => ({
        topic: TOPICS.orders,
        partition: 0,
        record,
        reason,
        detail: 'why',
        step: 'readEvent',
      })),
      NOW_MS,
    )
  const appendOrders = async (...values: string[]): Promise<LogRecord[]> => {
    const records = values.map((value) => ({ key: 'k', value, headers: { trace: 't' } }))
    await log.append(TOPICS.orders, records)
    return recordsOf(TOPICS.orders)
  }

  it('are listed once each, page by page, though a crash wrote them twice', async () => {
    const records = await appendOrders('a', 'b', 'c')
    await giveUp(records)
    await giveUp(records)
    const first = await listDeadLetters(log, { limit: 2 })
    expect(first.items.map(({ id }) => id)).toEqual([`${TOPICS.orders}:0:0`, `${TOPICS.orders}:0:1`])
    const second = await listDeadLetters(log, { limit: 2, cursor: first.nextCursor! })
    expect(second).toMatchObject({
      items: [{ id: `${TOPICS.orders}:0:2`, reason: 'not_json', at: '2026-01-05T00:00:00.000Z' }],
      nextCursor: null,
    })
  })

  it('go back to their topic as they were: key, value and headers', async () => {
    const [record] = await appendOrders('a')
    await giveUp([record!])
    await replayDeadLetters(log)
    const [original, again] = await recordsOf(TOPICS.orders)
    expect(again).toMatchObject({ key: original!.key, value: original!.value, headers: original!.headers })
  })

  it('go back only as chosen, by reason, topic or id', async () => {
    const [a, b, c] = await appendOrders('a', 'b', 'c')
    await giveUp([a!], 'not_json')
    await giveUp([b!, c!], 'invalid_event')
    expect((await replayDeadLetters(log, { topic: TOPICS.charges })).replayed).toEqual([])
    expect((await replayDeadLetters(log, { reason: 'not_json' })).replayed).toEqual([`${TOPICS.orders}:0:0`])
    expect((await replayDeadLetters(log, { ids: [`${TOPICS.orders}:0:2`] })).replayed).toHaveLength(1)
    expect(await replayDeadLetters(log)).toEqual({
      replayed: [`${TOPICS.orders}:0:1`],
      alreadyReplayed: [`${TOPICS.orders}:0:0`, `${TOPICS.orders}:0:2`],
      lost: [],
    })
    expect((await recordsOf(TOPICS.orders)).map(({ value }) => value)).toEqual(['a', 'b', 'c', 'a', 'c', 'b'])
  })

  it('are kept and replayed even where the record is as large as the log takes', async () => {
    const [record] = await appendOrders('x'.repeat(899_900))
    await giveUp([record!])
    const id = `${TOPICS.orders}:0:0`
    expect((await showDeadLetter(log, id)).value).toHaveLength(899_900)
    await replayDeadLetters(log)
    expect((await recordsOf(TOPICS.orders)).map(({ value }) => value?.length)).toEqual([899_900, 899_900])
  })

  it('answer a wrong id, limit or cursor with a typed error', async () => {
    await expect(showDeadLetter(log, 'none')).rejects.toMatchObject({ code: 'not_found', status: 404 })
    await expect(replayDeadLetters(log, { ids: ['none'] })).rejects.toMatchObject({ code: 'not_found' })
    await expect(listDeadLetters(log, { limit: 0 })).rejects.toMatchObject({ code: 'bad_request' })
    await expect(listDeadLetters(log, { cursor: 'none' })).rejects.toMatchObject({
      code: 'bad_request',
      errors: [{ path: '?cursor' }],
    })
  })
})
