import type { ClickHouse } from '@endcap/platform/clickhouse'
import { type Check, checkOf } from './check.js'
import type { Scope } from './scope.js'
import { attributionsUnlikeOrders } from './store/attribution-checks.js'

/** What touches are credited with beside the order lines that they are credited for. Lines without a touch are in neither. */
export async function checkAttributions(
  clickhouse: ClickHouse,
  { sinceMs, hoursBeforeMs: beforeMs }: Pick<Scope, 'sinceMs' | 'hoursBeforeMs'>,
): Promise<Check> {
  const [found] = await clickhouse.query(attributionsUnlikeOrders, { sinceMs, beforeMs })
  const { lines, unlike, named } = found!
  return checkOf('attributions_equal_orders', `${lines} lines`, `${lines - unlike} lines`, named)
}
