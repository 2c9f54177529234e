import { TOPICS, type Topic } from '@endcap/contracts'
import {
  type EventLog,
  type LogRecord,
  type NewRecord,
  RecordTooLargeError,
} from '@endcap/platform/event-log'

/** A record that a step gave up on. */
export interface DeadLetterDraft {
  readonly topic: Topic
  readonly partition: number
  readonly record: LogRecord
  /** A constant; see `DEAD_LETTER_REASONS` of the consumer. */
  readonly reason: string
  /** For people: the field and what is wrong with it. */
  readonly detail: string
  /** The function that gave up. */
  readonly step: string
}

/**
 * Headers of a dead letter. Key and value are those of the record as it was; its own headers are kept under `original.`.
 * `origin` names the place in the log: the same record, given up twice because of a crash, is one dead letter.
 */
export const DEAD_LETTER_HEADERS = {
  origin: 'dead-letter.origin',
  topic: 'dead-letter.topic',
  partition: 'dead-letter.partition',
  offset: 'dead-letter.offset',
  reason: 'dead-letter.reason',
  detail: 'dead-letter.detail',
  step: 'dead-letter.step',
  at: 'dead-letter.at',
  /** 'yes' where the record was too large to be copied: it still lies at its origin. */
  valueOmitted: 'dead-letter.value-omitted',
  /** On a marker: the origin that was put back into its topic. */
  replayed: 'dead-letter.replayed',
} as const

export const ORIGINAL_HEADER_PREFIX = 'original.'
const MAX_DETAIL = 500

/** Appends dead letters durably, with everything that a person or a replay needs. */
export async function appendDeadLetters(
  log: EventLog,
  drafts: readonly DeadLetterDraft[],
  nowMs: number,
): Promise<void> {
  for (const draft of drafts) {
    const record = deadLetterRecord(draft, nowMs)
    try {
      await log.append(TOPICS.deadLetter, [record])
    } catch (error) {
      if (!(error instanceof RecordTooLargeError)) throw error
      // With its headers it is larger than the log takes; without a place in the topic the range could never be finished.
      await log.append(TOPICS.deadLetter, [withoutValue(record)])
    }
  }
}

function deadLetterRecord(
  { topic, partition, record, reason, detail, step }: DeadLetterDraft,
  nowMs: number,
): NewRecord {
  const h = DEAD_LETTER_HEADERS
  const original = Object.entries(record.headers).map(([name, value]) => [
    ORIGINAL_HEADER_PREFIX + name,
    value,
  ])
  return {
    key: record.key,
    value: record.value,
    headers: {
      ...Object.fromEntries(original),
      [h.origin]: `${topic}:${partition}:${record.offset}`,
      [h.topic]: topic,
      [h.partition]: String(partition),
      [h.offset]: String(record.offset),
      [h.reason]: reason,
      [h.detail]: detail.slice(0, MAX_DETAIL),
      [h.step]: step,
      [h.at]: new Date(nowMs).toISOString(),
    },
  }
}

function withoutValue(record: NewRecord): NewRecord {
  const headers = Object.entries(record.headers ?? {}).filter(
    ([name]) => !name.startsWith(ORIGINAL_HEADER_PREFIX),
  )
  return {
    key: record.key.slice(0, 128),
    value: null,
    headers: { ...Object.fromEntries(headers), [DEAD_LETTER_HEADERS.valueOmitted]: 'yes' },
  }
}
