import { EndcapError, TOPICS, type Topic } from '@endcap/contracts'
import type { EventLog, LogRecord } from '@endcap/platform/event-log'
import { DEAD_LETTER_HEADERS as H, ORIGINAL_HEADER_PREFIX } from './dead-letter.js'

interface DeadLetterSummary {
  /** `topic:partition:offset` of the record that was given up. */
  readonly id: string
  readonly topic: Topic
  readonly key: string
  readonly reason: string
  readonly detail: string
  readonly step: string
  /** RFC 3339. */
  readonly at: string
  readonly replayed: boolean
}

export interface DeadLetter extends DeadLetterSummary {
  /** As it was in its topic. */
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
}

export interface DeadLetterPage {
  readonly items: readonly DeadLetterSummary[]
  readonly nextCursor: string | null
}

export interface ListOptions {
  /** 1–200, default 50. */
  readonly limit?: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string
}

/**
 * Dead letters, oldest first, each once however often a crash made it be written.
 * @throws EndcapError `bad_request` for a limit or cursor that is none
 */
export async function listDeadLetters(
  log: EventLog,
  { limit = 50, cursor }: ListOptions = {},
): Promise<DeadLetterPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) {
    throw new EndcapError('bad_request', 'limit must be an integer from 1 to 200', [
      { path: '?limit', message: 'must be an integer from 1 to 200' },
    ])
  }
  const letters = await summaries(log)
  const start = cursor === undefined ? 0 : letters.findIndex(({ id }) => id === cursor) + 1
  if (cursor !== undefined && start === 0) {
    throw new EndcapError('bad_request', 'the cursor is none of this list', [
      { path: '?cursor', message: 'is not a cursor of this list' },
    ])
  }
  const items = letters.slice(start, start + limit)
  return { items, nextCursor: start + limit < letters.length ? items.at(-1)!.id : null }
}

/** One dead letter with the record as it was. @throws EndcapError `not_found` */
export async function showDeadLetter(log: EventLog, id: string): Promise<DeadLetter> {
  const summary = (await summaries(log)).find((letter) => letter.id === id)
  const record = summary && (await original(log, id))
  if (!summary || !record) throw new EndcapError('not_found', `there is no dead letter ${id}`)
  return { ...summary, value: record.value, headers: record.headers ?? {} }
}

export interface ReplaySelection {
  /** Only these. */
  readonly ids?: readonly string[]
  /** Only those given up for this reason. */
  readonly reason?: string
  /** Only those of this topic. */
  readonly topic?: Topic
}

export interface ReplayResult {
  readonly replayed: readonly string[]
  /** Chosen, but put back before. */
  readonly alreadyReplayed: readonly string[]
  /** Chosen, but their record is kept neither here nor at its origin any more. */
  readonly lost: readonly string[]
}

/**
 * Puts the chosen records back into their topics, as they were, and marks them: a second replay leaves them alone. A crash between
 * the two puts a record back twice, which its event id makes one event again. An empty selection chooses all.
 * @throws EndcapError `not_found` for an id that is none
 */
export async function replayDeadLetters(
  log: EventLog,
  selection: ReplaySelection = {},
): Promise<ReplayResult> {
  const letters = await summaries(log)
  const known = new Set(letters.map(({ id }) => id))
  const unknown = selection.ids?.find((id) => !known.has(id))
  if (unknown !== undefined) throw new EndcapError('not_found', `there is no dead letter ${unknown}`)
  const wanted = selection.ids && new Set(selection.ids)
  const chosen = letters.filter(
    (letter) =>
      (!wanted || wanted.has(letter.id)) &&
      (selection.reason === undefined || letter.reason === selection.reason) &&
      (selection.topic === undefined || letter.topic === selection.topic),
  )
  const result = { replayed: [] as string[], alreadyReplayed: [] as string[], lost: [] as string[] }
  for (const letter of chosen) {
    if (letter.replayed) {
      result.alreadyReplayed.push(letter.id)
      continue
    }
    const record = await original(log, letter.id)
    if (!record) {
      result.lost.push(letter.id)
      continue
    }
    await log.append(letter.topic, [record])
    await log.append(TOPICS.deadLetter, [
      { key: letter.key, value: null, headers: { [H.replayed]: letter.id } },
    ])
    result.replayed.push(letter.id)
  }
  return result
}

/** Dead letters are few: all of them are read, and only what a list shows is kept. */
async function summaries(log: EventLog): Promise<DeadLetterSummary[]> {
  const letters = new Map<string, DeadLetterSummary>()
  for await (const { headers, key } of deadLetterRecords(log)) {
    const replayed = letters.get(headers[H.replayed] ?? '')
    if (replayed) letters.set(replayed.id, { ...replayed, replayed: true })
    const id = headers[H.origin]
    if (id === undefined || letters.has(id)) continue
    letters.set(id, {
      id,
      topic: headers[H.topic] as Topic,
      key,
      reason: headers[H.reason] ?? '',
      detail: headers[H.detail] ?? '',
      step: headers[H.step] ?? '',
      at: headers[H.at] ?? '',
      replayed: false,
    })
  }
  return [...letters.values()]
}

/** The record as it was: its copy in the dead letter, or, where it was too large for that, the record at its origin. */
async function original(log: EventLog, id: string) {
  for await (const record of deadLetterRecords(log)) {
    if (record.headers[H.origin] !== id) continue
    if (record.headers[H.valueOmitted] === 'yes') return recordAtOrigin(log, record)
    const headers = Object.entries(record.headers)
      .filter(([name]) => name.startsWith(ORIGINAL_HEADER_PREFIX))
      .map(([name, value]) => [name.slice(ORIGINAL_HEADER_PREFIX.length), value])
    return {
      key: record.key,
      value: record.value,
      headers: Object.fromEntries(headers) as Record<string, string>,
    }
  }
  return undefined
}

async function recordAtOrigin(log: EventLog, { headers }: LogRecord) {
  const offset = BigInt(headers[H.offset]!)
  for await (const records of log.read(
    headers[H.topic] as Topic,
    Number(headers[H.partition]),
    offset,
    offset + 1n,
  )) {
    const record = records.find((candidate) => candidate.offset === offset)
    if (record) return { key: record.key, value: record.value, headers: record.headers }
  }
  return undefined
}

async function* deadLetterRecords(log: EventLog): AsyncGenerator<LogRecord> {
  for (const { partition, first, end } of await log.ranges(TOPICS.deadLetter)) {
    for await (const records of log.read(TOPICS.deadLetter, partition, first, end)) yield* records
  }
}
