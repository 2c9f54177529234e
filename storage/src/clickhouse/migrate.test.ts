import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestClickHouse, startTestClickHouseHttp, type TestClickHouse } from '../testing/index.js'
import { migrateClickHouse } from './migrate.js'
import { performanceDayTotals, performanceMinuteTotals } from './tables/performance.js'

describe.each([
  ['in this process', startTestClickHouse],
  ['over HTTP', startTestClickHouseHttp],
] as const)('ClickHouse migrations, %s', (_, start) => {
  let test: TestClickHouse
  beforeAll(async () => {
    test = await start()
  })
  afterAll(() => test?.close())

  it('are each applied once, however often and by however many they are run', async () => {
    const { clickhouse } = test
    await expect(migrateClickHouse(clickhouse)).resolves.toEqual([])
    await clickhouse.command('truncate table clickhouse_migrations_v1')
    await clickhouse.command(
      'alter table clickhouse_migrations_v1 modify setting non_replicated_deduplication_window = 0',
    )
    const both = await Promise.all([migrateClickHouse(clickhouse), migrateClickHouse(clickhouse)])
    expect(both.flat()).toContain('0001_auctions.sql')
    await expect(migrateClickHouse(clickhouse)).resolves.toEqual([])
    expect(await clickhouse.query(performanceMinuteTotals, {})).toEqual(
      await clickhouse.query(performanceDayTotals, {}),
    )
  })
})
