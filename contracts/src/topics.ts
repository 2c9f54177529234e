/**
 * The topics of the event log. `retentionMs` is how long records are kept at least; a compacted topic keeps the last
 * record of each key for ever.
 */
export const TOPICS = {
  auctions: 'endcap.auctions.v1',
  interactions: 'endcap.interactions.v1',
  orders: 'endcap.orders.v1',
  charges: 'endcap.charges.v1',
  changes: 'endcap.changes.v1',
  deadLetter: 'endcap.dead-letter.v1',
} as const

export type Topic = (typeof TOPICS)[keyof typeof TOPICS]

export interface TopicSpec {
  readonly name: Topic
  readonly partitions: number
  readonly compacted: boolean
  readonly retentionMs: number
}

const DAY_MS = 86_400_000

/** What each topic holds, how it is keyed, and how long it is kept. */
export const TOPIC_SPECS: readonly TopicSpec[] = [
  { name: TOPICS.auctions, partitions: 4, compacted: false, retentionMs: 30 * DAY_MS },
  { name: TOPICS.interactions, partitions: 4, compacted: false, retentionMs: 400 * DAY_MS },
  { name: TOPICS.orders, partitions: 4, compacted: false, retentionMs: 400 * DAY_MS },
  { name: TOPICS.charges, partitions: 4, compacted: false, retentionMs: 400 * DAY_MS },
  { name: TOPICS.changes, partitions: 1, compacted: true, retentionMs: 0 },
  { name: TOPICS.deadLetter, partitions: 1, compacted: false, retentionMs: 400 * DAY_MS },
]
