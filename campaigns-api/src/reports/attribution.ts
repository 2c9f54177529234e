import type { ReportQuery } from '@endcap/contracts'

/** Which touches may earn an order, and how long after. */
export type AttributionWindow = Omit<NonNullable<ReportQuery['attribution']>, 'model'>

/** What the pipeline keeps in attributions_v1; any other window is worked out when it is asked for. */
export const DEFAULT_WINDOW: AttributionWindow = { clickDays: 14, viewDays: 1, match: 'same' }

export const isDefaultWindow = (window: AttributionWindow): boolean =>
  window.clickDays === DEFAULT_WINDOW.clickDays &&
  window.viewDays === DEFAULT_WINDOW.viewDays &&
  window.match === DEFAULT_WINDOW.match

const MATCH_COLUMNS = { same: 'listing_id', halo: 'merchant_id' } as const

/**
 * Each order line of the period with its last sponsored touch (FORMULAS §5): 0 ≤ order − touch ≤ the window of its kind; clicks
 * before impressions, then the latest, then the lowest event id. The columns that describe a slot are the touch's, so that a
 * halo sale stands under the listing that was advertised. A line without a touch is not in it. Zero view days: views earn nothing.
 */
export function lastTouchAtRead({ clickDays, viewDays, match }: AttributionWindow): string {
  const matched = MATCH_COLUMNS[match]
  return `
    select line.order_id as order_id, line.line_id as line_id, any(line.occurred_at) as order_at,
      any(line.quantity) as quantity, any(line.sales_micros) as sales_micros, any(line.currency) as currency, true as sponsored,
      argMin(
        tuple(touch.merchant_id, touch.campaign_id, touch.listing_id, touch.placement, touch.position, touch.search_term,
          touch.device, touch.model_version),
        tuple(touch.type != 'click', -toUnixTimestamp64Milli(touch.occurred_at), touch.event_id)
      ) as slot,
      slot.1 as merchant_id, slot.2 as campaign_id, slot.3 as listing_id, slot.4 as placement, slot.5 as position,
      slot.6 as search_term, slot.7 as device, slot.8 as model_version
    from (
      select order_id, line_id, occurred_at, customer_hash, ${matched} as matched, quantity, currency,
        toInt64(quantity) * unit_price_micros as sales_micros
      from order_lines_v1
      where occurred_at >= {from:DateTime64(3, 'UTC')} and occurred_at < {to:DateTime64(3, 'UTC')}
        and customer_hash != '' and ${matched} != ''
    ) as line
    inner join (
      select event_id, type, occurred_at, customer_hash, ${matched} as matched, merchant_id, campaign_id, listing_id, placement,
        position, search_term, device, model_version
      from interactions_v1
      where sponsored and customer_hash != '' and type in ('click', 'impression')
        and occurred_at >= {from:DateTime64(3, 'UTC')} - toIntervalDay(${Math.max(clickDays, viewDays)})
        and occurred_at < {to:DateTime64(3, 'UTC')}
    ) as touch on line.customer_hash = touch.customer_hash and line.matched = touch.matched
    where touch.occurred_at <= line.occurred_at and (
      (touch.type = 'click' and touch.occurred_at >= line.occurred_at - toIntervalDay(${clickDays}))
      ${viewDays === 0 ? '' : `or (touch.type = 'impression' and touch.occurred_at >= line.occurred_at - toIntervalDay(${viewDays}))`}
    )
    group by order_id, line_id`
}
