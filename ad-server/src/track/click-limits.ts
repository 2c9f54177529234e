import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import { counterOf } from '@endcap/platform/metrics'
import type { StateStore, WindowLimit } from '@endcap/platform/state-store'

export interface ClickLimitsDeps {
  readonly state: StateStore
  /** Clicks of one customer, and of one address, that may be billed in any of these windows; empty: no limits. */
  readonly limits: readonly WindowLimit[]
  readonly logger: Logger
  readonly registry: Registry
  /** How long a shopper's redirect may wait for the answer. Default 250 ms. */
  readonly patienceMs?: number
}

/** A sponsored click as the limits see it. Who clicked is known by keyed hashes only; '' is nobody, and has no limits. */
export interface LimitedClick {
  /** What was clicked: another click on the same slot counts with the first, and is a repeat to billing. */
  readonly slot: string
  readonly atMs: number
  readonly addressHash: string
  readonly customerHash: string
}

export type RateSuspicion = 'address_rate' | 'customer_rate'

const keyOf = (kind: 'address' | 'customer', hash: string): string => `endcap:clicks:${kind}:${hash}`

/**
 * Counts sponsored clicks by address and by customer, in sliding windows that all ad-servers share, and tells which limits a click
 * exceeds. A click that exceeds one counts in neither, so the limits are what may be billed, not what may be clicked.
 *
 * Without an answer of the state store a click exceeds nothing: the shopper goes on, and a metric says how many were not looked at.
 */
export function createClickLimits(deps: ClickLimitsDeps): (click: LimitedClick) => Promise<RateSuspicion[]> {
  const { state, limits, logger, patienceMs = 250 } = deps
  const unknown = counterOf(deps.registry, {
    name: 'endcap_click_limits_unknown_total',
    help: 'Sponsored clicks whose limits were not known, because the state store did not answer; taken as within them',
  })

  return async function exceededBy({ slot, atMs, addressHash, customerHash }) {
    const keys = [
      ...(addressHash === '' ? [] : [keyOf('address', addressHash)]),
      ...(customerHash === '' ? [] : [keyOf('customer', customerHash)]),
    ]
    if (keys.length === 0 || limits.length === 0) return []
    try {
      const refusing = await within(patienceMs, state.windowsAdmit(keys, slot, atMs, limits))
      return refusing.map((key) => (key === keyOf('address', addressHash) ? 'address_rate' : 'customer_rate'))
    } catch (error) {
      unknown.inc()
      logger.warn({ err: error }, 'the limits of clicks are not known at the moment')
      return []
    }
  }
}

/** @throws when it takes longer */
async function within<T>(patienceMs: number, work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const tooLong = delay(patienceMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`no answer within ${patienceMs} ms`)
  })
  tooLong.catch(() => {})
  try {
    return await Promise.race([work, tooLong])
  } finally {
    over.abort()
  }
}
