import { defineQuery, instantMsParam } from '@endcap/platform/clickhouse'
import { z } from 'zod'

/**
 * Every slot that was shown and seen (an impression of the same auction and position came in), with its features as served, whether it
 * was clicked, and whether the click earned an order. One row a slot however often it was reported; the newest `maxRows`, in time order.
 * Interactions may come a day after their auction.
 */
export const trainingRows = defineQuery({
  name: 'models.training_rows',
  params: z.object({
    fromMs: instantMsParam,
    toMs: instantMsParam,
    featureSet: z.string(),
    featureCount: z.int(),
    maxRows: z.int(),
  }),
  row: z.object({
    occurredAtMs: z.number(),
    position: z.int(),
    clicked: z.int(),
    ordered: z.int(),
    features: z.array(z.number()),
  }),
  maxSeconds: 900,
  sql: `
select occurredAtMs, position, clicked, ordered, features
from (
  select
    toFloat64(toUnixTimestamp64Milli(slots.occurred_at)) as occurredAtMs,
    slots.auction_id as auctionId,
    slots.position as position,
    seen.clicked as clicked,
    toUInt8(seen.clicked and (slots.auction_id, slots.listing_id) in (
      select auction_id, listing_id from attributions_v1 final
      where touch_type = 'click' and order_at >= {fromMs:DateTime64(3, 'UTC')}
    )) as ordered,
    slots.features as features
  from auction_slots_v1 as slots
  inner join (
    select auction_id, position, toUInt8(max(type = 'click')) as clicked
    from interactions_v1
    where type in ('impression', 'click')
      and occurred_at >= {fromMs:DateTime64(3, 'UTC')} and occurred_at < {toMs:DateTime64(3, 'UTC')} + interval 1 day
    group by auction_id, position
    having max(type = 'impression')
  ) as seen on seen.auction_id = slots.auction_id and seen.position = slots.position
  where slots.occurred_at >= {fromMs:DateTime64(3, 'UTC')} and slots.occurred_at < {toMs:DateTime64(3, 'UTC')}
    and slots.outcome = 'shown' and slots.position > 0
    and slots.feature_set = {featureSet:String} and length(slots.features) = {featureCount:UInt32}
    and not arrayExists(value -> not isFinite(value), slots.features)
  order by occurredAtMs desc, auctionId desc, position desc
  limit {maxRows:UInt64}
)
order by occurredAtMs, auctionId, position`,
})
