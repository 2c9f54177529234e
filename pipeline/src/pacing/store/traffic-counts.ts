import { countCell, dateCell, defineQuery, instantMsParam } from '@endcap/platform/clickhouse'
import { z } from 'zod'

/** Auctions by placement and quarter of an hour. */
export const trafficCounts = defineQuery({
  name: 'pacing.traffic_counts',
  params: z.object({ fromMs: instantMsParam, toMs: instantMsParam }),
  row: z.object({ placement: z.string(), day: dateCell, bucket: countCell, auctions: countCell }),
  sql: `
    select placement, toDate(occurred_at, 'UTC') as day,
      intDiv(toHour(occurred_at, 'UTC') * 60 + toMinute(occurred_at, 'UTC'), 15) as bucket, count() as auctions
    from auctions_v1
    where occurred_at >= {fromMs:DateTime64(3, 'UTC')} and occurred_at < {toMs:DateTime64(3, 'UTC')}
    group by placement, day, bucket`,
})
