import type { ClickHouse } from '@endcap/platform/clickhouse'
import * as engine from '@endcap/platform/testing'
import { migrateClickHouse } from '../clickhouse/migrate.js'
import { attributionsTable } from '../clickhouse/tables/attributions.js'
import { auctionSlotsTable } from '../clickhouse/tables/auction-slots.js'
import { auctionsTable } from '../clickhouse/tables/auctions.js'
import { chargesTable } from '../clickhouse/tables/charges.js'
import { interactionsTable } from '../clickhouse/tables/interactions.js'
import { orderLinesTable } from '../clickhouse/tables/order-lines.js'
import { PERFORMANCE_TABLES } from '../clickhouse/tables/performance.js'

export type { TestClickHouse } from '@endcap/platform/testing'

/** The engine in this process, migrated and empty. Rows do not expire. */
export async function startTestClickHouse(): Promise<engine.TestClickHouse> {
  const test = await engine.startTestClickHouse()
  await prepare(test.clickhouse)
  return test
}

/** Like `startTestClickHouse`, in a process of its own behind ClickHouse's HTTP interface. */
export async function startTestClickHouseHttp(): Promise<engine.TestClickHouseHttp> {
  const test = await engine.startTestClickHouseHttp()
  await prepare(test.clickhouse)
  return test
}

/** Tests use fixed dates, so rows must not expire. */
async function prepare(clickhouse: ClickHouse): Promise<void> {
  await migrateClickHouse(clickhouse)
  const expiring = [
    auctionsTable,
    auctionSlotsTable,
    interactionsTable,
    chargesTable,
    orderLinesTable,
    attributionsTable,
  ]
  for (const table of [...expiring.map(({ name }) => name), PERFORMANCE_TABLES.minute]) {
    await clickhouse.command(`alter table ${table} remove ttl`)
  }
}
