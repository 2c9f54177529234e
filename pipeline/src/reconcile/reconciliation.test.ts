import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Loop, startLoop } from '../testing/loop.js'
import { interactionOf, seedCampaigns, seedMerchants, slotToken, until } from '../testing/marketplace.js'
import { createReconciliation } from './reconciliation.js'
import { CHECKS, verify } from './verify.js'

const HOUR_MS = 3_600_000
const NOW = Date.now()
const EARLIER = NOW - 3 * HOUR_MS
const LATER = NOW - 2 * HOUR_MS

let loop: Loop
let postgres: Postgres
/** The clock of whoever bills and stores. */
let at = EARLIER

/** Impressions and clicks on new slots, some more than 60 s apart from those of an hour before. */
function traffic(from: number, slots: number, atMs: number) {
  return Array.from({ length: slots }, (_, n) => {
    const id = from + n
    const token = slotToken({ auctionId: `a${id}`, issuedAtMs: atMs - 5000, priceMicros: 1_000n })
    return [
      interactionOf(`i${id}`, 'impression', atMs - 4000, token),
      interactionOf(`c${id}`, 'click', atMs - 2000, token),
    ]
  }).flat()
}

beforeAll(async () => {
  loop = await startLoop({ clock: () => at, maxBatchRecords: 50 })
  postgres = loop.postgres
  const seeded = new Date(EARLIER - HOUR_MS)
  await seedMerchants(postgres, [{ id: 'm1', depositMicros: 1_000_000_000n }], seeded)
  await seedCampaigns(postgres, [{ id: 'c1', merchantId: 'm1' }], seeded)
  await loop.start()
  await loop.append(traffic(0, 200, EARLIER))
  await loop.settled()
  at = LATER
})
afterAll(() => loop.stop())

const deps = () => loop.deps(() => LATER)

let slots = 1_000
/** Runs work while interactions keep coming in. */
async function whileTrafficFlows<T>(work: () => Promise<T>): Promise<T> {
  let flowing = true
  const flow = (async () => {
    while (flowing) {
      await loop.append(traffic(slots, 10, LATER))
      slots += 10
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  try {
    return await work()
  } finally {
    flowing = false
    await flow
  }
}

describe('verification while traffic flows', () => {
  it('never cries wolf', async () => {
    await whileTrafficFlows(async () => {
      for (let round = 0; round < 6; round++) {
        const { checks } = await verify(deps(), { settled: false, ...(round % 2 && { lastHours: 24 }) })
        expect(checks.filter(({ ok }) => !ok)).toEqual([])
      }
    })
    expect(slots).toBeGreaterThan(1_100)
  })

  it('still finds and names what is wrong among what has settled', async () => {
    const { rows } = await postgres.query<{ id: string }>(
      `select min(id) as id from charges where occurred_at < $1`,
      [new Date(EARLIER)],
    )
    const id = rows[0]!.id
    const change = (by: string) =>
      loop.clickhouse.command(
        `alter table charges_v1 update amount_micros = amount_micros ${by} where event_id = '${id}'`,
        {},
        { mutations_sync: '1' },
      )
    await change('+ 7')
    const { checks } = await whileTrafficFlows(() => verify(deps(), { settled: false, lastHours: 24 }))
    await change('- 7')
    const failed = checks.filter(({ ok }) => !ok)
    expect(failed.map(({ name }) => name)).toContain('charges_in_clickhouse')
    expect(failed.find(({ name }) => name === 'charges_in_clickhouse')!.detail).toContain(id)
  })
})

describe('the reconciliation job', () => {
  it('sets a metric for each check, and logs as an error by name what differs', async () => {
    const registry = createMetrics({ service: 'test' })
    const errors: unknown[] = []
    const logger = silentLogger()
    logger.error = ((fields: unknown) => errors.push(fields)) as typeof logger.error
    const job = createReconciliation({ ...deps(), logger, registry, expression: '* * * * * *' })
    const okOf = async (check: string) =>
      new RegExp(`^endcap_reconcile_check_ok\\{[^}]*check="${check}"[^}]*\\} (\\d)$`, 'm').exec(
        await registry.metrics(),
      )?.[1]
    await job.start()
    try {
      await until(async () => (await okOf('rollup_equals_raw')) === '1', 'a first comparison')
      for (const check of CHECKS) expect(await okOf(check), check).toBe('1')
      expect(errors).toEqual([])
      expect(await registry.metrics()).toMatch(/^endcap_reconcile_last_run_timestamp_seconds.* [1-9]/m)

      await postgres.query(
        "update ledger_accounts set balance_micros = balance_micros - 1 where id = 'wallet:m1'",
      )
      await until(async () => (await okOf('wallets_equal_entries')) === '0', 'a comparison that fails')
      expect(errors[0]).toMatchObject({
        name: 'wallets_equal_entries',
        detail: expect.stringContaining('wallet:m1'),
      })
      expect(await okOf('ledger_sum_zero')).toBe('1')

      await postgres.query(
        "update ledger_accounts set balance_micros = balance_micros + 1 where id = 'wallet:m1'",
      )
      await until(async () => (await okOf('wallets_equal_entries')) === '1', 'a comparison that holds again')
    } finally {
      await job.stop()
    }
  })
})
