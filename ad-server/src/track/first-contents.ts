import { createHash } from 'node:crypto'
import type { EventInput } from '@endcap/contracts'
import type { Logger } from '@endcap/platform/logging'
import type { StateStore } from '@endcap/platform/state-store'

/** An event's id with a digest of what it said. */
export interface FirstContent {
  readonly id: string
  readonly content: string
}

/** What became of an id before: the same event was taken, or another one came first. */
type Known = 'taken' | 'conflict'

export interface FirstContents {
  /**
   * Claims ids for their contents and gives those that are not free: taken with the same content, or claimed with another one. A claim whose
   * event was never taken can be made again with the same content, and by anybody after a minute.
   */
  claim(events: readonly FirstContent[]): Promise<ReadonlyMap<string, Known>>
  /** The events are durable: from now on they are known. */
  taken(events: readonly FirstContent[]): Promise<void>
}

/** How long an id is known; after that it still makes an event count once everywhere. */
const KNOWN_MS = 24 * 3_600_000
/** Longer than any call takes from its claim until its events are durable. */
const CLAIMED_MS = 60_000
const TAKEN = 'taken '
const CLAIMED = 'claimed '

/** What an event says, as a digest: the same for the same content, in whatever order its fields came. */
export function contentOf({ type, occurredAt, token, customer, client }: EventInput): string {
  const content = [
    type,
    Date.parse(occurredAt),
    token,
    [customer?.id, customer?.sessionId, customer?.consent],
    [client?.address, client?.userAgent],
  ]
  return createHash('sha256').update(JSON.stringify(content)).digest('base64url')
}

/**
 * Which content each event id first came with, in the state store. An event is known as taken only after it is durable, so that a crash in
 * between repeats it and never loses it. Without the state store nothing is recognised; event ids make repeats harmless further on.
 */
export function createFirstContents(state: StateStore, logger: Logger): FirstContents {
  return {
    async claim(events) {
      const known = new Map<string, Known>()
      try {
        const claims = await Promise.all(
          events.map(({ id, content }) => state.setIfAbsent(keyOf(id), CLAIMED + content, CLAIMED_MS)),
        )
        const before = events.filter((_, i) => !claims[i])
        const values = await state.getMany(before.map(({ id }) => keyOf(id)))
        for (const [i, { id, content }] of before.entries()) {
          if (values[i] === TAKEN + content) known.set(id, 'taken')
          else if (values[i] !== undefined && values[i] !== CLAIMED + content) known.set(id, 'conflict')
        }
      } catch (error) {
        logger.warn({ err: error }, 'repeated events cannot be recognised at the moment')
      }
      return known
    },

    async taken(events) {
      try {
        await Promise.all(events.map(({ id, content }) => state.set(keyOf(id), TAKEN + content, KNOWN_MS)))
      } catch (error) {
        logger.warn({ err: error }, 'taken events could not be remembered')
      }
    },
  }
}

const keyOf = (eventId: string): string => `endcap:event:${eventId}`
