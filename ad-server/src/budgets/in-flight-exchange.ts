import { type Clock, IN_FLIGHT_KEY, IN_FLIGHT_STALE_MS, inFlightView, type Micros } from '@endcap/contracts'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { StateStore } from '@endcap/platform/state-store'
import type { Accounts, Holder } from './accounts.js'
import type { InFlightSpend } from './in-flight.js'

export interface InFlightExchangeDeps {
  readonly state: StateStore
  readonly accounts: Accounts
  readonly inFlight: InFlightSpend
  /** Unique among the processes that share the state store. */
  readonly processId: string
  readonly clock: Clock
  readonly logger: Logger
  /** Default 500 ms. */
  readonly everyMs?: number
}

export interface InFlightExchange extends Component {
  /** Tells the others what this process holds, and takes in what they hold. */
  exchange(): Promise<void>
}

/**
 * Lets ad-server processes know of each other's spend in flight, so that several do not each sell what is left. A process writes one
 * field, its own, always whole: nothing is added up in the store, and no two processes write the same. A field that stands
 * still belongs to a process that is gone: it is left out, and removed. While the store is away each process goes on with what it knew.
 */
export function createInFlightExchange(deps: InFlightExchangeDeps): InFlightExchange {
  const { state, accounts, inFlight, processId, clock, logger } = deps
  const everyMs = deps.everyMs ?? 500
  const seen = new Map<string, { readonly text: string; readonly sinceMs: number }>()
  let sequence = 0
  let failing = false
  let timer: NodeJS.Timeout | undefined
  let exchanging: Promise<void> | undefined
  let stopped = false

  async function publishAndRead(): Promise<void> {
    try {
      inFlight.advance(clock())
      await state.hashSet(IN_FLIGHT_KEY, { [processId]: ownView() })
      const fields = await state.hashGetAll(IN_FLIGHT_KEY)
      const others = [...fields].filter(([id]) => id !== processId)
      const gone = notice(others)
      const views = others
        .filter(([id]) => !gone.includes(id))
        .map(([, text]) => inFlightView.parse(JSON.parse(text)))
      takeIn(
        accounts.campaigns,
        views.map(({ campaigns }) => campaigns),
      )
      takeIn(
        accounts.wallets,
        views.map(({ merchants }) => merchants),
      )
      await state.hashDelete(IN_FLIGHT_KEY, gone)
      failing = false
    } catch (error) {
      if (!failing) logger.warn({ err: error }, 'spend in flight cannot be exchanged; the last copy is used')
      failing = true
    }
  }

  const ownView = (): string =>
    JSON.stringify({
      sequence: ++sequence,
      campaigns: heldOf(accounts.campaigns),
      merchants: heldOf(accounts.wallets),
    })

  /** Remembers when each process's field last changed, by our own clock. @returns those that have stood still for too long */
  function notice(others: readonly (readonly [string, string])[]): string[] {
    const nowMs = clock()
    const present = new Set(others.map(([id]) => id))
    for (const id of seen.keys()) if (!present.has(id)) seen.delete(id)
    return others.flatMap(([id, text]) => {
      const known = seen.get(id)
      if (known?.text !== text) seen.set(id, { text, sinceMs: nowMs })
      else if (nowMs - known.sinceMs >= IN_FLIGHT_STALE_MS) return [id]
      return []
    })
  }

  function exchange(): Promise<void> {
    exchanging ??= publishAndRead().finally(() => {
      exchanging = undefined
    })
    return exchanging
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => {
      exchange().finally(schedule)
    }, everyMs)
    timer.unref()
  }

  return {
    name: 'in-flight exchange',
    async start() {
      await exchange()
      schedule()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await exchanging
      // Otherwise the others would hold it back for ten seconds more.
      await state.hashDelete(IN_FLIGHT_KEY, [processId]).catch(() => {})
    },
    exchange,
  }
}

function heldOf(holders: ReadonlyMap<string, Holder>): Record<string, string> {
  const held: Record<string, string> = {}
  for (const [id, { heldMicros }] of holders) if (heldMicros > 0n) held[id] = heldMicros.toString()
  return held
}

function takeIn(
  holders: ReadonlyMap<string, Holder>,
  views: readonly Readonly<Record<string, string>>[],
): void {
  const sums = new Map<string, Micros>()
  for (const view of views) {
    for (const [id, micros] of Object.entries(view)) sums.set(id, (sums.get(id) ?? 0n) + BigInt(micros))
  }
  for (const [id, holder] of holders) holder.heldElsewhereMicros = sums.get(id) ?? 0n
}
