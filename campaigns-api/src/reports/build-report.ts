import {
  EndcapError,
  type FieldError,
  REPORT_FILTERS,
  type ReportDimension,
  type ReportMetric,
  type ReportQuery,
} from '@endcap/contracts'
import { type ParamValue, toDateTime64 } from '@endcap/platform/clickhouse'
import { type AttributionWindow, DEFAULT_WINDOW } from './attribution.js'
import {
  DIMENSION_COLUMNS,
  isColumnDimension,
  isMetric,
  MEASURES,
  METRICS,
  type Measure,
  measuresOf,
  SLOT_DIMENSIONS,
} from './columns.js'
import { type Period, periodOf, periodProblems } from './period.js'
import { attributed, dimensionSql, isStoredAttribution, type Source, sourcesOf } from './sources.js'

/** A statement with the values it binds. */
export interface ReportStatement {
  readonly name: string
  readonly sql: string
  readonly params: Readonly<Record<string, ParamValue>>
}

/** Everything that a report asks of ClickHouse. Columns of the results: dimensions by name, `sum_<measure>`, `currency`, `merchant`. */
export interface ReportPlan {
  readonly dimensions: readonly ReportDimension[]
  readonly metrics: readonly ReportMetric[]
  readonly period: Period
  readonly rows: ReportStatement
  readonly totals: ReportStatement
  /** Which merchants have spend or over-delivery in it; undefined when it holds neither. */
  readonly spenders: ReportStatement | undefined
  /** Which currencies its sales are in; undefined when it holds no sales. */
  readonly saleCurrencies: ReportStatement | undefined
  /** It reads what attribution has written: nothing later than the last run is in it. */
  readonly readsAttributions: boolean
}

/**
 * Turns a report query into SQL. Values are only ever bound as parameters; text comes from the tables of columns.ts and sources.ts.
 * @param only the merchants that the caller may see; undefined: all
 * @throws validation_failed for what cannot be answered, naming the field
 */
export function buildReport(query: ReportQuery, only: readonly string[] | undefined): ReportPlan {
  const period = periodOf(query)
  const problems = [...periodProblems(period), ...unanswerable(query)]
  if (problems.length > 0)
    throw new EndcapError('validation_failed', 'this report cannot be answered', problems)

  const filters = boundFilters(query, only)
  const measures = new Set(query.metrics.flatMap(measuresOf))
  const { model: _, ...window }: { model?: string } & AttributionWindow = query.attribution ?? DEFAULT_WINDOW
  const sources = sourcesOf({
    measures,
    bySlot:
      filters.bySlot ||
      query.dimensions.some((dimension) => isColumnDimension(dimension) && SLOT_DIMENSIONS.has(dimension)),
    daily: period.wholeUtcDays && !query.dimensions.includes('hour'),
    window,
  })
  const params = {
    from: toDateTime64(period.fromMs),
    to: toDateTime64(period.toMs),
    timeZone: period.timeZone,
    ...filters.params,
  }
  const context: Context = {
    sources,
    measures: MEASURES.filter((measure) => measures.has(measure)),
    filters: filters.sql,
  }
  const paying = sources.filter(({ measures: of }) =>
    MERCHANT_MONEY.some((measure) => measures.has(measure) && of[measure] !== undefined),
  )
  const sales = attributed(window)
  return {
    dimensions: query.dimensions,
    metrics: query.metrics,
    period,
    rows: {
      name: 'report.rows',
      sql: `${groupedSql(context, query.dimensions)}\norder by ${orderSql(query)}\nlimit {limit:UInt32}`,
      params: { ...params, limit: query.limit },
    },
    totals: { name: 'report.totals', sql: groupedSql(context, []), params },
    spenders:
      paying.length > 0
        ? {
            name: 'report.spenders',
            sql: paying
              .map(
                (source) =>
                  `select distinct toString(merchant_id) as merchant from ${source.from} where ${whereSql(source, context)} and ${source.money} != 0`,
              )
              .join('\nunion distinct\n'),
            params,
          }
        : undefined,
    readsAttributions: sources.some(isStoredAttribution),
    saleCurrencies: measures.has('sales')
      ? {
          name: 'report.sale_currencies',
          sql: `select distinct toString(currency) as currency from ${sales.from} where ${whereSql(sales, context)} and sales_micros != 0`,
          params,
        }
      : undefined,
  }
}

/** Money in the merchant's currency; sales are in the order's. */
const MERCHANT_MONEY = ['spend', 'overDelivery'] as const

interface Context {
  readonly sources: readonly Source[]
  readonly measures: readonly Measure[]
  /** Conditions of the filters, true for every source. */
  readonly filters: readonly string[]
}

const whereSql = (source: Source, { filters }: Context): string =>
  [source.period, source.where, ...filters].join(' and ')

/** Each source adds up its own measures by the dimensions; the outer select lays them side by side. */
function groupedSql(context: Context, dimensions: readonly ReportDimension[]): string {
  const keys = dimensions.map((dimension) => `key_${dimension}`)
  const parts = context.sources.map((source) => {
    const columns = [
      ...dimensions.map((dimension) => `${dimensionSql(source, dimension)} as key_${dimension}`),
      ...context.measures.map((measure) => `toInt64(${source.measures[measure] ?? '0'}) as part_${measure}`),
    ]
    const group = keys.length > 0 ? `\n  group by ${keys.join(', ')}` : ''
    return `  select ${columns.join(', ')}\n  from ${source.from}\n  where ${whereSql(source, context)}${group}`
  })
  const columns = [
    ...dimensions.map((dimension) => `key_${dimension} as ${dimension}`),
    ...context.measures.map((measure) => `sum(part_${measure}) as sum_${measure}`),
  ]
  const group = keys.length > 0 ? `\ngroup by ${keys.join(', ')}` : ''
  return `select ${columns.join(', ')}\nfrom (\n${parts.join('\n  union all\n')}\n)${group}`
}

/** As asked, then by the dimensions in their order, so that the same report always comes in the same order. */
function orderSql(query: ReportQuery): string {
  const asked = (query.orderBy ?? []).map(({ field, direction }) => {
    const expression = isMetric(field) ? metricSql(field) : `key_${field}`
    return `${expression} ${direction} nulls last`
  })
  return [...asked, ...query.dimensions.map((dimension) => `key_${dimension} asc`), 'tuple()'].join(', ')
}

function metricSql(metric: ReportMetric): string {
  const definition = METRICS[metric]
  if ('measure' in definition) return `sum_${definition.measure}`
  const { numerator, denominator } = definition
  return `if(sum_${denominator} <= 0, null, sum_${numerator} / sum_${denominator})`
}

function unanswerable(query: ReportQuery): FieldError[] {
  const problems: FieldError[] = []
  const message = 'is not recorded in a form that reports can be cut by'
  for (const [index, dimension] of query.dimensions.entries()) {
    if (!isAnswerable(dimension)) problems.push({ path: `/dimensions/${index}`, message })
  }
  for (const filter of REPORT_FILTERS) {
    if (query.filters?.[filter as keyof typeof query.filters] !== undefined && !isAnswerable(filter)) {
      problems.push({ path: `/filters/${filter}`, message })
    }
  }
  for (const [index, { field }] of (query.orderBy ?? []).entries()) {
    const present = isMetric(field) ? query.metrics.includes(field) : query.dimensions.includes(field)
    if (!present)
      problems.push({
        path: `/orderBy/${index}/field`,
        message: 'must be one of the metrics or dimensions asked for',
      })
  }
  for (const [index, value] of valuesOf(query.filters?.position).entries()) {
    if (!/^[1-9]\d{0,4}$/.test(value) || Number(value) > 65_535) {
      const path = Array.isArray(query.filters?.position) ? `/filters/position/${index}` : '/filters/position'
      problems.push({ path, message: 'must be a position such as "1"' })
    }
  }
  return problems
}

const isAnswerable = (dimension: ReportDimension): boolean =>
  dimension === 'day' || dimension === 'hour' || isColumnDimension(dimension)

type FilterValue = string | number
const valuesOf = (filter: FilterValue | readonly FilterValue[] | undefined): readonly string[] =>
  filter === undefined ? [] : [filter].flat().map(String)

function boundFilters(query: ReportQuery, only: readonly string[] | undefined) {
  const sql: string[] = []
  const params: Record<string, ParamValue> = {}
  let bySlot = false
  for (const dimension of Object.keys(DIMENSION_COLUMNS).filter(isFilter)) {
    const values = valuesOf(query.filters?.[dimension])
    if (values.length === 0) continue
    const type = dimension === 'position' ? 'UInt16' : 'String'
    sql.push(`${DIMENSION_COLUMNS[dimension]} in {filter_${dimension}:Array(${type})}`)
    params[`filter_${dimension}`] = dimension === 'position' ? values.map(Number) : values
    bySlot ||= SLOT_DIMENSIONS.has(dimension)
  }
  if (only !== undefined) {
    sql.push('merchant_id in {only_merchants:Array(String)}')
    params.only_merchants = only
    bySlot = true
  }
  if (query.filters?.sponsored !== undefined) {
    sql.push('sponsored = {sponsored:Bool}')
    params.sponsored = query.filters.sponsored
    bySlot = true
  }
  return { sql, params, bySlot }
}

const isFilter = (name: string): name is keyof typeof DIMENSION_COLUMNS => name in DIMENSION_COLUMNS
