import { type IdSource, newEvent, type VerdictsData, type VerdictsEvent } from '@endcap/contracts'
import type { BillableInteraction } from './domain/types.js'

/** Some 100 bytes each: far below what a record of the log may hold. */
const MOST_IN_ONE = 2_000

/** The events that tell ClickHouse which interactions were valid and free: a campaign's together, without rows of their own in Postgres. */
export function verdictsEventsOf(
  free: readonly BillableInteraction[],
  ids: IdSource,
  now: Date,
): readonly VerdictsEvent[] {
  const events: VerdictsEvent[] = []
  for (let start = 0; start < free.length; start += MOST_IN_ONE) {
    const id = ids('event')
    events.push(
      newEvent('verdicts', {
        id,
        occurredAtMs: now.getTime(),
        source: 'billing',
        key: id,
        data: { campaigns: byCampaign(free.slice(start, start + MOST_IN_ONE)) },
      }),
    )
  }
  return events
}

function byCampaign(interactions: readonly BillableInteraction[]): VerdictsData['campaigns'] {
  const campaigns = new Map<string, VerdictsData['campaigns'][number]>()
  for (const { interactionId, type, occurredAtMs, slot } of interactions) {
    const { merchantId, campaignId } = slot
    const campaign = campaigns.get(campaignId) ?? { merchantId, campaignId, interactions: [] }
    campaign.interactions.push([interactionId, type, occurredAtMs])
    campaigns.set(campaignId, campaign)
  }
  return [...campaigns.values()]
}
