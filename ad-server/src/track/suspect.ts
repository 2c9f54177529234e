import { type InteractionEvent, SUSPICIONS, type Suspicion } from '@endcap/contracts'
import type { LimitedClick, RateSuspicion } from './click-limits.js'

export interface SuspectDeps {
  readonly isDeclaredBot: (userAgent: string) => boolean
  readonly isDataCenter: (address: string) => boolean
  readonly exceededBy: (click: LimitedClick) => Promise<readonly RateSuspicion[]>
}

/** What is known of who sent an interaction, and not kept as it is. */
export interface Sender {
  readonly userAgent: string
  /** '' when it is not known. */
  readonly address: string
  /** Keyed hash of the address. It is counted, and not kept with the interaction of someone who refused to be recognised. */
  readonly addressHash: string
  /** The browser fetched ahead of any wish of its user. */
  readonly prefetch: boolean
}

/**
 * Stamps an interaction with what makes it suspicious, in the order of SUSPICIONS. Done once, where it comes in: whoever reads the log
 * later comes to the same verdict. Only sponsored clicks that nothing else makes suspicious are held against the limits of clicks.
 */
export function createSuspect({ isDeclaredBot, isDataCenter, exceededBy }: SuspectDeps) {
  return async function suspect(event: InteractionEvent, sender: Sender): Promise<InteractionEvent> {
    const { data } = event
    const found = new Set<Suspicion>()
    if (sender.userAgent !== '' && isDeclaredBot(sender.userAgent)) found.add('bot')
    if (sender.address !== '' && isDataCenter(sender.address)) found.add('data_center')
    if (sender.prefetch) found.add('prefetch')
    if (found.size === 0 && event.type === 'click' && data.sponsored) {
      const exceeded = await exceededBy({
        slot: `${data.auctionId}:${data.position}`,
        atMs: Math.min(Date.parse(event.occurredAt), Date.parse(event.receivedAt)),
        addressHash: sender.addressHash,
        customerHash: data.customerHash,
      })
      for (const suspicion of exceeded) found.add(suspicion)
    }
    if (found.size === 0) return event
    return { ...event, data: { ...data, suspicions: SUSPICIONS.filter((suspicion) => found.has(suspicion)) } }
  }
}
