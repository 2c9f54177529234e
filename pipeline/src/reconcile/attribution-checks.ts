import type { ClickHouse } from '@endcap/platform/clickhouse'
import { attributedThrough } from '@endcap/storage/clickhouse'
import { WINDOWS } from '../attribution/attribute-range.js'
import { type Check, checkOf } from './check.js'
import type { Scope } from './scope.js'
import { attributionsUnlikeOrders, linesWithoutAttribution } from './store/attribution-checks.js'

type Period = Pick<Scope, 'sinceMs' | 'hoursBeforeMs'>

/** Topics are stored side by side: a run that saw one event may not have seen an order of another topic that is so much older. */
const STORED_WITHIN_MS = 60_000

/**
 * The order lines that touches earned, as far as attribution has come, beside what these are credited with. Lines without a touch are on
 * neither side.
 */
export async function checkAttributions(
  clickhouse: ClickHouse,
  { sinceMs, hoursBeforeMs: beforeMs }: Period,
): Promise<Check> {
  const lacking = await lackingLines(clickhouse, { sinceMs, hoursBeforeMs: beforeMs })
  const [found] = await clickhouse.query(attributionsUnlikeOrders, { sinceMs, beforeMs })
  const { lines, unlike, named } = found!
  return checkOf('attributions_equal_orders', `${lines + lacking.lines} lines`, `${lines - unlike} lines`, [
    ...named,
    ...lacking.named.map((line) => `${line} is not attributed`),
  ])
}

async function lackingLines(clickhouse: ClickHouse, { sinceMs, hoursBeforeMs: beforeMs }: Period) {
  const [progress] = await clickhouse.query(attributedThrough, {})
  const through = progress!.attributedThrough
  if (through === null) return { lines: 0, named: [] }
  const receivedBeforeMs = Date.parse(through) - STORED_WITHIN_MS
  const [lacking] = await clickhouse.query(linesWithoutAttribution, {
    sinceMs,
    beforeMs,
    receivedBeforeMs,
    ...WINDOWS,
  })
  return lacking!
}
