import type { ReportDimension } from '@endcap/contracts'
import type { AttributionWindow } from './attribution.js'
import { isDefaultWindow, lastTouchAtRead } from './attribution.js'
import { DIMENSION_COLUMNS, isColumnDimension, type Measure } from './columns.js'

/** A relation that some measures can be added up from. */
export interface Source {
  /** A table, or a subquery in brackets. */
  readonly from: string
  /** The column of the instant that a row belongs to. */
  readonly time: string
  /** SQL of the condition that a row belongs to the period. */
  readonly period: string
  /** SQL of the row's day in the report's zone. */
  readonly day: string
  /** Conditions that always hold, besides period and filters. */
  readonly where: string
  readonly measures: Partial<Readonly<Record<Measure, string>>>
  /** The column that is money in the merchant's currency, if one is. */
  readonly money?: string
}

const FROM = `{from:DateTime64(3, 'UTC')}`
const TO = `{to:DateTime64(3, 'UTC')}`
const byInstant = (time: string) => ({
  time,
  period: `${time} >= ${FROM} and ${time} < ${TO}`,
  day: `toDate(${time}, {timeZone:String})`,
})
/** Only for whole UTC days in UTC. */
const byUtcDay = { time: 'day', period: `day >= toDate(${FROM}) and day < toDate(${TO})`, day: 'day' }

const performance = (daily: boolean): Source => ({
  ...(daily
    ? { from: 'performance_day_v1', ...byUtcDay }
    : { from: 'performance_minute_v1', ...byInstant('minute') }),
  where: `source_batch = ''`,
  money: 'spend_micros',
  measures: {
    impressions: 'sum(impressions)',
    viewableImpressions: 'sum(viewable_impressions)',
    clicks: 'sum(clicks)',
    invalidImpressions: 'sum(invalid_impressions)',
    invalidClicks: 'sum(invalid_clicks)',
    validImpressions: 'sum(impressions) - sum(invalid_impressions)',
    validClicks: 'sum(clicks) - sum(invalid_clicks)',
    spend: 'sum(spend_micros)',
  },
})

/** Valid interactions that were not billed because a budget or the wallet was used up, at the price that each would have cost. */
const OVER_DELIVERY: Source = {
  from: '(select *, true as sponsored from charges_v1)',
  ...byInstant('occurred_at'),
  where: `outcome = 'not_charged' and startsWith(reason, 'over_')`,
  money: 'price_micros',
  measures: { overDelivery: 'sum(price_micros)' },
}

const AUCTIONS: Source = {
  from: 'auctions_v1',
  ...byInstant('occurred_at'),
  where: '1',
  measures: { requests: 'count()' },
}

const SHOWN_SLOTS: Source = {
  from: 'auction_slots_v1',
  ...byInstant('occurred_at'),
  where: `outcome = 'shown'`,
  measures: { requests: 'uniqExact(auction_id)' },
}

const STORED_ATTRIBUTIONS = 'attributions_v1 final'
export const isStoredAttribution = ({ from }: Source): boolean => from === STORED_ATTRIBUTIONS

/** Order lines with the sponsored touch that earned each. */
export const attributed = (window: AttributionWindow): Source => ({
  ...(isDefaultWindow(window)
    ? { from: STORED_ATTRIBUTIONS, where: `model = 'last_touch' and sponsored` }
    : { from: `(${lastTouchAtRead(window)})`, where: '1' }),
  ...byInstant('order_at'),
  measures: { orders: 'uniqExact(order_id)', units: 'sum(quantity)', sales: 'sum(sales_micros)' },
})

/** Where each measure of a report comes from. */
export function sourcesOf(report: {
  readonly measures: ReadonlySet<Measure>
  readonly bySlot: boolean
  readonly daily: boolean
  readonly window: AttributionWindow
}): readonly Source[] {
  return [
    report.bySlot ? SHOWN_SLOTS : AUCTIONS,
    performance(report.daily),
    OVER_DELIVERY,
    attributed(report.window),
  ].filter((source) =>
    Object.keys(source.measures).some((measure) => report.measures.has(measure as Measure)),
  )
}

/** SQL of a dimension's value in a source. */
export function dimensionSql(source: Source, dimension: ReportDimension): string {
  if (dimension === 'day') return source.day
  if (dimension === 'hour')
    return `toUnixTimestamp(toStartOfHour(toTimeZone(${source.time}, {timeZone:String})))`
  if (!isColumnDimension(dimension)) throw new Error(`${dimension} is not a column`)
  const column = DIMENSION_COLUMNS[dimension]
  return dimension === 'position' ? column : `toString(${column})`
}
