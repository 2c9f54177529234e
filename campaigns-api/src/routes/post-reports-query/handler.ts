import { EndcapError, type ReportAnswer, type ReportQuery } from '@endcap/contracts'
import { CLICKHOUSE_CODES, ClickHouseError, defineQuery } from '@endcap/platform/clickhouse'
import type { Caller } from '@endcap/platform/http'
import { histogramOf } from '@endcap/platform/metrics'
import { attributedThrough, eventsThrough } from '@endcap/storage/clickhouse'
import { notFound } from '@endcap/storage/http'
import { currenciesOf } from '@endcap/storage/postgres'
import { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { buildReport, type ReportPlan, type ReportStatement } from '../../reports/build-report.js'
import { columnsOf, presentRow, presentTotals } from '../../reports/present-report.js'

const statementParams = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]),
)
const storedRow = z.record(z.string(), z.union([z.string(), z.number()]))

/**
 * Answers a report. A merchant's key sees its own merchants only, whatever the filters say; naming another is not_found.
 * @throws validation_failed for what cannot be answered, for money in several currencies, and for what is too large to add up
 */
export async function queryReport(
  deps: CampaignsApiDeps,
  caller: Caller,
  query: ReportQuery,
): Promise<ReportAnswer> {
  const startedAt = deps.clock()
  const only = onlyMerchants(caller, query)
  const plan = buildReport(query, only)
  try {
    const currency = await singleCurrency(deps, plan, query, only)
    // Freshness first: what arrives meanwhile may be in the rows, but nothing that it promises is missing.
    const through = await freshness(deps, plan)
    const [rows, totals] = await Promise.all([run(deps, plan.rows), run(deps, plan.totals)])
    return {
      columns: columnsOf(plan),
      rows: rows.map((row) => presentRow(plan, row)),
      totals: presentTotals(plan, totals[0]!),
      currency,
      freshness: { eventsThrough: through },
    }
  } catch (error) {
    throw toldOf(error)
  } finally {
    const ms = deps.clock() - startedAt
    reportSeconds(deps).observe(ms / 1000)
    deps.logger.debug({ metrics: query.metrics, dimensions: query.dimensions, ms }, 'report')
  }
}

/** When the newest event was received that the report can hold; with attributed metrics, that attribution has seen as well. */
async function freshness({ clickhouse }: CampaignsApiDeps, plan: ReportPlan): Promise<string | null> {
  const [stored] = await clickhouse.query(eventsThrough, {})
  if (!plan.readsAttributions) return stored!.eventsThrough
  const [run] = await clickhouse.query(attributedThrough, {})
  const instants = [stored!.eventsThrough, run!.attributedThrough]
  return instants.includes(null) ? null : (instants as string[]).sort()[0]!
}

const reportSeconds = ({ registry }: CampaignsApiDeps) =>
  histogramOf(registry, {
    name: 'endcap_report_duration_seconds',
    help: 'Duration of report queries',
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60],
  })

function onlyMerchants(caller: Caller, query: ReportQuery): readonly string[] | undefined {
  if (caller.isOperator || caller.scopes.includes('reports')) return undefined
  const asked = query.filters?.merchant ?? []
  if ([asked].flat().some((id) => !caller.mayActFor(id))) throw notFound('merchant')
  return [...caller.merchantIds]
}

const run = (deps: CampaignsApiDeps, { name, sql, params }: ReportStatement) =>
  deps.clickhouse.query(
    defineQuery({ name, sql, params: statementParams, row: storedRow }),
    params as z.input<typeof statementParams>,
  )

/**
 * The currency of a report's money; null when it holds none. Amounts in different currencies are never added up.
 * Spend is in the merchant's currency, sales in the order's.
 */
async function singleCurrency(
  deps: CampaignsApiDeps,
  plan: ReportPlan,
  query: ReportQuery,
  only: readonly string[] | undefined,
): Promise<string | null> {
  const found = new Set<string>()
  if (plan.spenders) {
    const candidates = query.filters?.merchant === undefined ? only : [query.filters.merchant].flat()
    let currencies = await currenciesOf(deps.postgres, candidates)
    if (currencies.length > 1) {
      const spenders = await run(deps, plan.spenders)
      currencies = await currenciesOf(
        deps.postgres,
        spenders.map((row) => String(row.merchant)),
      )
    }
    for (const currency of currencies) found.add(currency)
  }
  if (plan.saleCurrencies) {
    for (const row of await run(deps, plan.saleCurrencies)) found.add(String(row.currency))
  }
  if (found.size > 1) {
    const names = [...found].sort().join(' and ')
    throw new EndcapError('validation_failed', `the report would add up ${names}`, [
      { path: '/filters/merchant', message: `must narrow the report to one currency, not ${names}` },
    ])
  }
  return [...found][0] ?? null
}

const TOO_LARGE: ReadonlySet<number> = new Set([
  CLICKHOUSE_CODES.timeoutExceeded,
  CLICKHOUSE_CODES.memoryLimitExceeded,
])

function toldOf(error: unknown): unknown {
  if (!(error instanceof ClickHouseError)) return error
  if (TOO_LARGE.has(error.code)) {
    return new EndcapError('validation_failed', 'the report is too large to add up', [
      { path: '/from', message: 'must be nearer to `to`, or there must be fewer dimensions' },
    ])
  }
  return error.retryable ? new EndcapError('unavailable', 'the report store cannot be reached') : error
}
