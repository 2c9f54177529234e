import { createHash } from 'node:crypto'
import {
  type Clock,
  EndcapError,
  type EventInput,
  eventInput,
  type eventsAnswer,
  jsonPointer,
  type TokenSealer,
} from '@endcap/contracts'
import { parseOrThrow } from '@endcap/platform/http'
import type { Logger } from '@endcap/platform/logging'
import type { z } from 'zod'
import { contentOf, type FirstContent, type FirstContents } from '../../track/first-contents.js'
import { type Arrival, arrivalOf } from '../../track/interaction.js'
import type { Track } from '../../track/track.js'

export interface EventsDeps {
  readonly sealer: TokenSealer
  readonly track: Track
  readonly firsts: FirstContents
  readonly identityKey: Buffer
  readonly clock: Clock
  readonly logger: Logger
}

type Answer = z.infer<typeof eventsAnswer>
type Rejected = Answer['rejected'][number]

/** Clocks of shops may be this far off: what they say is taken as it is, so that the same event is the same whenever it comes. */
const CLOCK_SKEW_MS = 5 * 60_000
const HOUR_CHARACTERS = '2026-01-05T12'.length
const MAX_KNOWN_ID = 128 - 1 - HOUR_CHARACTERS

/**
 * Takes events one by one: a bad one is rejected alone, a repeated one counted as such, and the rest are durable when this resolves.
 * An id stands for the content that it first came with: with another one it is rejected as `event_conflict`.
 * @throws EndcapError unavailable when they cannot be kept; the whole call may be sent again
 */
export async function acceptEvents(
  inputs: readonly unknown[],
  keyId: string,
  deps: EventsDeps,
): Promise<Answer> {
  const nowMs = deps.clock()
  const rejected: Rejected[] = []
  const reports = new Map<string, Report>()
  let duplicates = 0
  inputs.forEach((input, index) => {
    const read = readEvent(input, index, nowMs, keyId, deps)
    if (!read.ok) {
      rejected.push(read.rejected)
      return
    }
    const first = reports.get(read.report.id)
    if (!first) reports.set(read.report.id, read.report)
    else if (first.content === read.report.content) duplicates++
    else rejected.push(conflictAt(index))
  })
  const known = await deps.firsts.claim([...reports.values()])
  for (const [id, state] of known) {
    if (state === 'conflict') rejected.push(conflictAt(reports.get(id)!.index))
    else duplicates++
    reports.delete(id)
  }
  const accepted = [...reports.values()]
  if (accepted.length > 0) {
    try {
      await deps.track.reported(accepted.map(({ arrival }) => arrival))
    } catch (error) {
      deps.logger.warn({ err: error, events: accepted.length }, 'reported events could not be recorded')
      throw new EndcapError(
        'unavailable',
        'Events cannot be recorded at the moment; none of these was taken.',
      )
    }
    await deps.firsts.taken(accepted)
  }
  rejected.sort((a, b) => a.index - b.index)
  return { accepted: accepted.length, duplicates, rejected }
}

/** An event that may be taken. `id` is the shop's, with the key's. */
interface Report extends FirstContent {
  readonly index: number
  readonly arrival: Arrival
}

const conflictAt = (index: number): Rejected => ({
  index,
  code: 'event_conflict',
  path: jsonPointer(['events', index, 'id']),
  message: 'was used for an event with other content, which stays as it is',
})

type Read =
  | { readonly ok: true; readonly report: Report }
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
  const arrival = arrivalOf(
    {
      id: eventIdOf(keyId, event.id, occurredAtMs),
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
  return { ok: true, report: { id: knownAs(keyId, event.id), content: contentOf(event), index, arrival } }
}

/** Shops choose ids by themselves: the key keeps those of two shops apart. */
function knownAs(keyId: string, clientId: string): string {
  const id = `${keyId}:${clientId}`
  return id.length <= MAX_KNOWN_ID
    ? id
    : `${keyId}:sha256:${createHash('sha256').update(clientId).digest('base64url')}`
}

/**
 * The id of the event in the log. It says the hour (UTC) in which it happened: what is sent again is the same event for ever, and an id that is
 * used for something else, once nobody remembers it, is another event with a verdict of its own.
 */
const eventIdOf = (keyId: string, clientId: string, occurredAtMs: number): string =>
  `${knownAs(keyId, clientId)}@${new Date(occurredAtMs).toISOString().slice(0, HOUR_CHARACTERS)}`
