import { createHash } from 'node:crypto'
import {
  type Clock,
  EndcapError,
  type EventInput,
  eventInput,
  type eventsAnswer,
  type InteractionEvent,
  jsonPointer,
  type TokenSealer,
} from '@endcap/contracts'
import { parseOrThrow } from '@endcap/platform/http'
import type { StateStore } from '@endcap/platform/state-store'
import type { Logger } from 'pino'
import type { z } from 'zod'
import { interactionOf } from '../../track/interaction.js'
import type { Track } from '../../track/track.js'

export interface EventsDeps {
  readonly sealer: TokenSealer
  readonly track: Track
  readonly state: StateStore
  readonly identityKey: Buffer
  readonly clock: Clock
  readonly logger: Logger
}

type Answer = z.infer<typeof eventsAnswer>
type Rejected = Answer['rejected'][number]

/** Clocks of shops may be this far off. */
const CLOCK_SKEW_MS = 5 * 60_000
/** How long a repeated event is recognised here; after that its id still makes it count once everywhere. */
const REMEMBERED_MS = 24 * 3_600_000
const MAX_EVENT_ID = 128

/**
 * Takes events one by one: a bad one is rejected alone, a repeated one counted as such, and the rest are durable when this resolves.
 * An event is remembered as taken only after it is durable, so a crash in between repeats it and never loses it.
 * @throws EndcapError unavailable when they cannot be kept; the whole call may be sent again
 */
export async function acceptEvents(
  inputs: readonly unknown[],
  keyId: string,
  deps: EventsDeps,
): Promise<Answer> {
  const nowMs = deps.clock()
  const rejected: Rejected[] = []
  const events = new Map<string, InteractionEvent>()
  let duplicates = 0
  inputs.forEach((input, index) => {
    const read = readEvent(input, index, nowMs, keyId, deps)
    if (!read.ok) rejected.push(read.rejected)
    else if (events.has(read.event.id)) duplicates++
    else events.set(read.event.id, read.event)
  })
  for (const id of await alreadyTaken([...events.keys()], deps)) {
    events.delete(id)
    duplicates++
  }
  const accepted = [...events.values()]
  if (accepted.length > 0) {
    try {
      await deps.track.reported(accepted)
    } catch (error) {
      deps.logger.warn({ err: error, events: accepted.length }, 'reported events could not be recorded')
      throw new EndcapError(
        'unavailable',
        'Events cannot be recorded at the moment; none of these was taken.',
      )
    }
    await remember(accepted, deps)
  }
  return { accepted: accepted.length, duplicates, rejected }
}

type Read =
  | { readonly ok: true; readonly event: InteractionEvent }
  | { readonly ok: false; readonly rejected: Rejected }

function readEvent(input: unknown, index: number, nowMs: number, keyId: string, deps: EventsDeps): Read {
  const reject = (code: string, field: string, message: string): Read => ({
    ok: false,
    rejected: { index, code, path: jsonPointer(['events', index, field]), message },
  })
  let event: EventInput
  try {
    event = parseOrThrow(eventInput, input, ['events', index])
  } catch (error) {
    if (!(error instanceof EndcapError)) throw error
    const [first] = error.errors
    return {
      ok: false,
      rejected: { index, code: error.code, path: first!.path, message: first!.message },
    }
  }
  const opened = deps.sealer.open(event.token)
  if (!opened.ok) return reject('token_invalid', 'token', 'is not a token of this installation')
  const { token } = opened
  if (nowMs > token.expiresAtMs) return reject('token_expired', 'token', 'has expired')
  const occurredAtMs = Date.parse(event.occurredAt)
  if (!(occurredAtMs <= nowMs + CLOCK_SKEW_MS)) {
    return reject('occurred_at_invalid', 'occurredAt', 'must not lie in the future')
  }
  if (occurredAtMs < token.issuedAtMs - CLOCK_SKEW_MS) {
    return reject('occurred_at_invalid', 'occurredAt', 'must not be before the slot was made')
  }
  const observed = interactionOf(
    {
      id: eventIdOf(keyId, event.id),
      type: event.type,
      occurredAtMs,
      receivedAtMs: nowMs,
      sealed: event.token,
      token,
      channel: 'api',
      customer: event.customer,
      address: event.client?.address,
      userAgent: event.client?.userAgent,
    },
    deps.identityKey,
  )
  return { ok: true, event: observed }
}

/** Shops choose ids by themselves: the key keeps those of two shops apart. */
export function eventIdOf(keyId: string, clientId: string): string {
  const id = `${keyId}:${clientId}`
  return id.length <= MAX_EVENT_ID
    ? id
    : `${keyId}:sha256:${createHash('sha256').update(clientId).digest('base64url')}`
}

const stateKeyOf = (eventId: string): string => `endcap:event:${eventId}`

/** Without the state store nothing is recognised here; event ids still make repeats harmless further on. */
async function alreadyTaken(ids: readonly string[], { state, logger }: EventsDeps): Promise<string[]> {
  if (ids.length === 0) return []
  try {
    const marks = await state.getMany(ids.map(stateKeyOf))
    return ids.filter((_, i) => marks[i] !== undefined)
  } catch (error) {
    logger.warn({ err: error }, 'repeated events cannot be recognised at the moment')
    return []
  }
}

async function remember(events: readonly InteractionEvent[], { state, logger }: EventsDeps): Promise<void> {
  try {
    await Promise.all(events.map(({ id }) => state.set(stateKeyOf(id), '1', REMEMBERED_MS)))
  } catch (error) {
    logger.warn({ err: error }, 'taken events could not be remembered')
  }
}
