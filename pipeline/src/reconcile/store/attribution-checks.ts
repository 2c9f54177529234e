import { countCell, defineQuery, instantMsParam } from '@endcap/platform/clickhouse'
import { z } from 'zod'
import { creditedLines } from '../../attribution/attribute-range.js'

/** Attributed lines, and those that are no order line or say another quantity, amount or currency than it does. */
export const attributionsUnlikeOrders = defineQuery({
  name: 'reconcile.attributions_unlike_orders',
  params: z.object({ sinceMs: instantMsParam, beforeMs: instantMsParam }),
  row: z.object({ lines: countCell, unlike: countCell, named: z.array(z.string()) }),
  sql: `with within as (
      select order_id, line_id, quantity, sales_micros, currency from attributions_v1 final
      where model = 'last_touch' and order_at >= {sinceMs:DateTime64(3, 'UTC')} and order_at < {beforeMs:DateTime64(3, 'UTC')}),
    orders as (
      select order_id, line_id, quantity, quantity * unit_price_micros as sales_micros, currency from order_lines_v1
      where occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and occurred_at < {beforeMs:DateTime64(3, 'UTC')})
    select count() as lines, countIf(isUnlike) as unlike,
      groupArraySortedIf(20)(concat(order_id, ' ', line_id), isUnlike) as named
    from (select order_id, line_id,
        (order_id, line_id, quantity, sales_micros, currency) not in (select * from orders) as isUnlike
      from within)`,
  maxSeconds: 300,
})

/**
 * Lines that a touch earned and that are attributed to none. Judged are orders that were received before a run of attribution and touches
 * that were received before their order: what comes later may be too late to count.
 */
export const linesWithoutAttribution = defineQuery({
  name: 'reconcile.lines_without_attribution',
  params: z.object({
    sinceMs: instantMsParam,
    beforeMs: instantMsParam,
    receivedBeforeMs: instantMsParam,
    clickDays: z.int(),
    viewDays: z.int(),
  }),
  row: z.object({ lines: countCell, named: z.array(z.string()) }),
  sql: `with ${creditedLines({
    lines: `occurred_at >= {sinceMs:DateTime64(3, 'UTC')} and occurred_at < {beforeMs:DateTime64(3, 'UTC')}
      and received_at < {receivedBeforeMs:DateTime64(3, 'UTC')}
      and (order_id, line_id) not in (
        select order_id, line_id from attributions_v1
        where model = 'last_touch' and order_at >= {sinceMs:DateTime64(3, 'UTC')})`,
    pairs: 't.received_at <= l.received_at',
  })}
    select count() as lines, groupArraySorted(20)(concat(order_id, ' ', line_id)) as named from credited`,
  maxSeconds: 300,
})
