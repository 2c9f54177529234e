import {
  type Clock,
  type IdSource,
  type InteractionEvent,
  type InteractionType,
  type SlotToken,
  TOPICS,
  type TokenSealer,
} from '@endcap/contracts'
import type { EventSink } from '@endcap/platform/event-log'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import { counterOf } from '@endcap/platform/metrics'
import type { AdIndex } from '../index/ad-index.js'
import type { FrequencyCaps } from '../serve/frequency-caps.js'
import { type Arrival, arrivalOf, recordOf } from './interaction.js'
import type { createSuspect } from './suspect.js'

export interface TrackDeps {
  readonly index: AdIndex
  readonly sealer: TokenSealer
  readonly sink: EventSink
  readonly caps: FrequencyCaps
  readonly suspect: ReturnType<typeof createSuspect>
  readonly identityKey: Buffer
  readonly clock: Clock
  readonly ids: IdSource
  readonly logger: Logger
  readonly registry: Registry
}

/** What a browser sends with a pixel or a click. */
export interface BrowserVisit {
  readonly address: string
  readonly userAgent: string | undefined
  readonly prefetch: boolean
}

export interface Track {
  /**
   * Records what a browser reported about a slot; resolves when it is durable, or counted as lost: the shopper's page goes on
   * either way. Of an expired slot only what billing must judge is recorded: it will be stale.
   */
  browser(type: InteractionType, sealed: string, token: SlotToken, visit: BrowserVisit): Promise<void>
  /** Records events that a shop's server reported. @throws when they cannot be kept; then none is accepted */
  reported(arrivals: readonly Arrival[]): Promise<void>
}

/** Where interactions become events: durable in the log before anybody is told that they were taken. */
export function createTrack(deps: TrackDeps): Track {
  const recorded = counterOf(deps.registry, {
    name: 'endcap_interactions_total',
    help: 'Interactions recorded, by type and channel',
    labelNames: ['type', 'channel'],
  })
  const lost = counterOf(deps.registry, {
    name: 'endcap_interactions_lost_total',
    help: 'Interactions of browsers that could not be recorded',
    labelNames: ['type'],
  })
  const expired = counterOf(deps.registry, {
    name: 'endcap_interactions_expired_total',
    help: 'Interactions of browsers with organic slots whose token has expired; not recorded',
    labelNames: ['type'],
  })

  const suspicious = counterOf(deps.registry, {
    name: 'endcap_interactions_suspicious_total',
    help: 'Interactions by the first thing that made them suspicious where they came in',
    labelNames: ['type', 'suspicion'],
  })

  async function stamp({ event, sender }: Arrival): Promise<InteractionEvent> {
    const stamped = await deps.suspect(event, sender)
    const [suspicion] = stamped.data.suspicions
    if (suspicion) suspicious.inc({ type: event.type, suspicion })
    return stamped
  }

  async function browser(
    type: InteractionType,
    sealed: string,
    token: SlotToken,
    visit: BrowserVisit,
  ): Promise<void> {
    const nowMs = deps.clock()
    const isExpired = nowMs > token.expiresAtMs
    if (isExpired && !token.sponsored) {
      expired.inc({ type })
      return
    }
    const arrival = arrivalOf(
      {
        id: deps.ids('interaction'),
        type,
        occurredAtMs: nowMs,
        receivedAtMs: nowMs,
        sealed,
        token,
        channel: 'browser',
        ...visit,
      },
      deps.identityKey,
    )
    const event = await stamp(arrival)
    try {
      await deps.sink.append(TOPICS.interactions, [recordOf(event)], 'synced')
    } catch (error) {
      lost.inc({ type })
      deps.logger.warn({ err: error, type }, 'an interaction could not be recorded')
      return
    }
    recorded.inc({ type, channel: 'browser' })
    if (!isExpired) await countForCaps([event])
  }

  async function reported(arrivals: readonly Arrival[]): Promise<void> {
    const events = await Promise.all(arrivals.map(stamp))
    await deps.sink.append(TOPICS.interactions, events.map(recordOf), 'synced')
    for (const { type } of events) recorded.inc({ type, channel: 'api' })
    await countForCaps(events)
  }

  /** Only for customers who agreed to it, and not what a robot saw. Caps are a courtesy to shoppers, not a promise: when the state store is away an impression goes uncounted. */
  async function countForCaps(events: readonly InteractionEvent[]): Promise<void> {
    const impressions = events.filter(
      ({ type, data }) =>
        type === 'impression' &&
        data.campaignId !== '' &&
        data.consented === true &&
        data.suspicions.length === 0,
    )
    try {
      await Promise.all(
        impressions.map(({ data, occurredAt }) =>
          deps.caps.seen(
            data.campaignId,
            data.customerHash,
            `${data.auctionId}:${data.position}`,
            Date.parse(occurredAt),
          ),
        ),
      )
    } catch (error) {
      deps.logger.debug({ err: error }, 'impressions were not counted for frequency caps')
    }
  }

  return { browser, reported }
}
