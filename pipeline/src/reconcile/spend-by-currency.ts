import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { Queryable } from '@endcap/platform/postgres'
import { findMerchants } from '@endcap/storage/postgres'
import { type MoneyByCurrency, UNKNOWN_CURRENCY } from './store/money-checks.js'
import type { SpendByMerchant } from './store/rollup-checks.js'

export interface SpendDeps {
  readonly postgres: Queryable
  readonly clickhouse: ClickHouse
}

/** What ClickHouse says was spent, in the currencies of the merchants who spent it, as reports say it. */
export async function spendByCurrency(
  { postgres, clickhouse }: SpendDeps,
  query: SpendByMerchant,
  period: { readonly sinceMs: number; readonly beforeMs: number },
): Promise<readonly MoneyByCurrency[]> {
  const spent = await clickhouse.query(query, period)
  const merchants = await findMerchants(
    postgres,
    spent.map(({ merchantId }) => merchantId),
  )
  return spent.map(({ merchantId, micros }) => ({
    currency: merchants.get(merchantId)?.currency ?? UNKNOWN_CURRENCY,
    micros,
  }))
}
