import { type ClickHouse, toDateTime64 } from '@endcap/platform/clickhouse'

/** Days back from the order within which a click earns it, the first and the last millisecond included. */
export const CLICK_WINDOW_DAYS = 14
/** The same for a view (an impression). */
const VIEW_WINDOW_DAYS = 1

/**
 * Last touch, as `with` expressions that end in `credited`: of the customer's sponsored touches with the line's listing, with
 * 0 ≤ order − touch ≤ the window of its kind, a click before any view, then the latest, then the lowest event id. Takes the parameters of
 * `WINDOWS`.
 * @param lines which rows of order_lines_v1 are credited
 * @param pairs which touches `t` of a line `l` count, beside the rule
 */
export const creditedLines = ({ lines, pairs = 'true' }: { lines: string; pairs?: string }): string => `
  lines as (
    select order_id, line_id, occurred_at as order_at, received_at, customer_hash, listing_id, quantity,
      quantity * unit_price_micros as sales_micros, currency
    from order_lines_v1
    where ${lines} and customer_hash != ''
  ),
  (select min(order_at) from lines) as first_order_at,
  (select max(order_at) from lines) as last_order_at,
  touches as (
    select event_id, type, occurred_at, received_at, customer_hash, listing_id, merchant_id, auction_id, position, placement,
      search_term, device, model_version, campaign_id, ad_id
    from interactions_v1
    where occurred_at >= first_order_at - interval {clickDays:UInt16} day and occurred_at <= last_order_at
      and sponsored and type in ('click', 'impression')
      and (customer_hash, listing_id) in (select customer_hash, listing_id from lines)
  ),
  credited as (
    select l.order_id as order_id, l.line_id as line_id, any(l.order_at) as order_at, any(l.customer_hash) as customer_hash,
      any(l.listing_id) as listing_id, any(l.quantity) as quantity, any(l.sales_micros) as sales_micros,
      any(l.currency) as currency,
      argMin(
        (t.event_id, t.type, t.occurred_at, t.merchant_id, t.auction_id, t.position, t.placement, t.search_term, t.device,
          t.model_version, t.campaign_id, t.ad_id),
        (t.type != 'click', -toUnixTimestamp64Milli(t.occurred_at), t.event_id)
      ) as touch
    from lines as l
    inner join touches as t on t.customer_hash = l.customer_hash and t.listing_id = l.listing_id
    where t.occurred_at <= l.order_at
      and t.occurred_at >= l.order_at - toIntervalDay(if(t.type = 'click', {clickDays:UInt16}, {viewDays:UInt16}))
      and ${pairs}
    group by l.order_id, l.line_id
  )`

/** What `creditedLines` takes. */
export const WINDOWS = { clickDays: CLICK_WINDOW_DAYS, viewDays: VIEW_WINDOW_DAYS } as const

/** Only lines are written whose touch, or what it is credited with, is new or has changed, so that any number of runs leaves the same rows. */
const ATTRIBUTE_LAST_TOUCH = `
insert into attributions_v1 (
  order_id, line_id, model, order_at, customer_hash, listing_id, merchant_id, quantity, sales_micros, currency,
  touch_event_id, touch_type, touch_at, auction_id, position, placement, search_term, device, model_version,
  campaign_id, ad_id, sponsored, version)
with ${creditedLines({
  lines: `received_at >= {from:DateTime64(3, 'UTC')} and received_at < {to:DateTime64(3, 'UTC')}`,
})}
select
  order_id, line_id, 'last_touch', order_at, customer_hash, listing_id, touch.4, quantity, sales_micros, currency,
  touch.1, touch.2, touch.3, touch.5, touch.6, touch.7, touch.8, touch.9, touch.10, touch.11, touch.12, true,
  toUnixTimestamp64Milli(now64(3))
from credited
where (order_id, line_id, touch.1, quantity, sales_micros, currency) not in (
  select order_id, line_id, touch_event_id, quantity, sales_micros, currency from attributions_v1 final
  where model = 'last_touch' and order_at >= first_order_at and order_at <= last_order_at)`

/**
 * Attributes the order lines received in [from, to). Calling it again changes nothing, unless touches have arrived since.
 * @throws ClickHouseError
 */
export async function attributeRange(clickhouse: ClickHouse, from: Date, to: Date): Promise<void> {
  await clickhouse.command(ATTRIBUTE_LAST_TOUCH, {
    from: toDateTime64(from.getTime()),
    to: toDateTime64(to.getTime()),
    ...WINDOWS,
  })
}
