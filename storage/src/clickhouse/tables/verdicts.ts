import type { VerdictsEvent } from '@endcap/contracts'
import { countCell, defineQuery, defineTable, instantForCell } from '@endcap/platform/clickhouse'
import { z } from 'zod'
import type { StoredEvent } from './stored-event.js'

const interactionsOf = ({ event }: StoredEvent<VerdictsEvent>) =>
  event.data.campaigns.flatMap(({ merchantId, campaignId, interactions }) =>
    interactions.map(([id, type, atMs]) => ({ id, type, atMs, merchantId, campaignId })),
  )

/** One row an event: many interactions that are valid and free. */
export const freeVerdictsTable = defineTable<StoredEvent<VerdictsEvent>>({
  name: 'free_verdicts_v1',
  columns: {
    event_id: ({ event }) => event.id,
    occurred_at: ({ event }) => instantForCell(event.occurredAt),
    received_at: ({ event }) => instantForCell(event.receivedAt),
    interaction_ids: (stored) => interactionsOf(stored).map(({ id }) => id),
    interaction_types: (stored) => interactionsOf(stored).map(({ type }) => type),
    interaction_times: (stored) =>
      interactionsOf(stored).map(({ atMs }) => instantForCell(new Date(atMs).toISOString())),
    merchant_ids: (stored) => interactionsOf(stored).map(({ merchantId }) => merchantId),
    campaign_ids: (stored) => interactionsOf(stored).map(({ campaignId }) => campaignId),
    source_batch: ({ batch }) => batch,
  },
})

/** Sponsored interactions by type and verdict, and how many verdicts any one of them has at most. */
export const verdictCounts = defineQuery({
  name: 'verdicts_v1.counts',
  params: z.object({}),
  row: z.object({
    type: z.string(),
    valid: z.boolean(),
    reason: z.string(),
    verdicts: countCell,
    interactions: countCell,
  }),
  sql: `select interaction_type as type, valid, reason, count() as verdicts, uniqExact(interaction_id) as interactions
    from verdicts_v1 group by type, valid, reason order by type, valid, reason`,
})

/** The verdicts that an interaction has: one, once it has been judged. */
export const verdictsOfInteraction = defineQuery({
  name: 'verdicts_v1.of_interaction',
  params: z.object({ id: z.string() }),
  row: z.object({ type: z.string(), valid: z.boolean(), reason: z.string(), charged: z.boolean() }),
  sql: `select interaction_type as type, valid, reason, charged from verdicts_v1 where interaction_id = {id:String}`,
})
