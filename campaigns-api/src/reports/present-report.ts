import {
  formatMoney,
  localInstant,
  type Micros,
  type ReportAnswer,
  type ReportDimension,
  type ReportMetric,
} from '@endcap/contracts'
import type { ReportPlan } from './build-report.js'
import { METRICS, type Measure } from './columns.js'

/** A row as ClickHouse gives it: dimensions by name, and the exact sums `sum_<measure>`. */
export type StoredRow = Readonly<Record<string, string | number>>

type Cell = ReportAnswer['rows'][number][string]

/** The columns of a report in the order that was asked for. */
export const columnsOf = (plan: Pick<ReportPlan, 'dimensions' | 'metrics'>): ReportAnswer['columns'] => [
  ...plan.dimensions.map((name) => ({ name, kind: 'dimension' as const })),
  ...plan.metrics.map((name) => ({ name, kind: printedKind(name) })),
]

function printedKind(metric: ReportMetric): 'count' | 'money' | 'ratio' {
  const { kind } = METRICS[metric]
  return kind === 'moneyRatio' ? 'money' : kind
}

/** One row as the API answers it. */
export function presentRow(
  plan: Pick<ReportPlan, 'dimensions' | 'metrics' | 'period'>,
  row: StoredRow,
): Record<string, Cell> {
  const cells: Record<string, Cell> = {}
  for (const dimension of plan.dimensions)
    cells[dimension] = dimensionCell(dimension, row, plan.period.timeZone)
  for (const metric of plan.metrics) cells[metric] = metricCell(metric, row)
  return cells
}

/** The totals as the API answers them: over everything that the report covers, whatever its limit. */
export const presentTotals = (plan: Pick<ReportPlan, 'metrics'>, row: StoredRow): Record<string, Cell> =>
  Object.fromEntries(plan.metrics.map((metric) => [metric, metricCell(metric, row)]))

function dimensionCell(dimension: ReportDimension, row: StoredRow, timeZone: string): Cell {
  const value = row[dimension]!
  return dimension === 'hour' ? localInstant(Number(value) * 1000, timeZone) : value
}

function metricCell(metric: ReportMetric, row: StoredRow): Cell {
  const sum = (measure: Measure): bigint => BigInt(row[`sum_${measure}`]!)
  const definition = METRICS[metric]
  if ('measure' in definition) {
    const total = sum(definition.measure)
    return definition.kind === 'count' ? Number(total) : formatMoney(total)
  }
  const numerator = sum(definition.numerator)
  const denominator = sum(definition.denominator)
  // Below 0 for moments: a verdict may be stored before the interaction that it is about.
  if (denominator <= 0n) return null
  return definition.kind === 'ratio'
    ? (Number(numerator) * definition.scale) / Number(denominator)
    : formatMoney(dividedHalfUp(numerator * BigInt(definition.scale), denominator))
}

/** The quotient to the nearest micro, halves up. The denominator is positive. */
function dividedHalfUp(numerator: Micros, denominator: bigint): Micros {
  const doubled = 2n * numerator + denominator
  const quotient = doubled / (2n * denominator)
  return doubled < 0n && doubled % (2n * denominator) !== 0n ? quotient - 1n : quotient
}
