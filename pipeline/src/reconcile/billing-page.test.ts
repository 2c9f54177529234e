import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdSource, formatMoney, type Pricing, parseMoney, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { createEmbeddedLog, type EmbeddedLog } from '@endcap/platform/event-log'
import type { Component } from '@endcap/platform/lifecycle'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { pageTable } from '@endcap/platform/testing'
import { startTestPostgres, type TestPostgres } from '@endcap/storage/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBilling } from '../billing/index.js'
import {
  interactionOf,
  recordOf,
  seedCampaigns,
  seedMerchants,
  slotToken,
  TOKEN_KEYS,
  until,
} from '../testing/marketplace.js'
import { CHECKS } from './verify.js'

const PAGE = new URL('../../../docs/billing.md', import.meta.url)
const NOON = Date.parse('2026-03-10T12:00:00Z')
const clock = () => NOON + 60_000

let database: TestPostgres
let log: EmbeddedLog
let dir: string
let billing: Component
beforeAll(async () => {
  database = await startTestPostgres()
  dir = await mkdtemp(join(tmpdir(), 'endcap-page-'))
  log = createEmbeddedLog({ dir, clock })
  await log.ensureTopics(TOPIC_SPECS)
  const { postgres } = database
  await seedMerchants(postgres, [{ id: 'm1', depositMicros: 10_000_000n }], new Date(NOON))
  await seedCampaigns(
    postgres,
    [
      { id: 'cpc', merchantId: 'm1', budgetDailyMicros: 1_000_000n },
      { id: 'cpm', merchantId: 'm1', pricing: 'cpm' },
    ],
    new Date(NOON),
  )
  billing = createBilling({
    log,
    postgres,
    clock,
    ids: createIdSource(),
    tokenKeys: TOKEN_KEYS,
    logger: silentLogger(),
    registry: createMetrics({ service: 'test' }),
  })
  await billing.start()
})
afterAll(async () => {
  await billing.stop()
  await log.close()
  await database.stop()
  await rm(dir, { recursive: true, force: true })
})

/** An impression and, for cpc, a click on each of these prices, in order; gives the verdicts. */
async function billed(campaignId: Pricing, prices: readonly bigint[]) {
  const events = prices.flatMap((priceMicros, n) => {
    const token = slotToken({
      auctionId: `${campaignId}-${n}`,
      issuedAtMs: NOON,
      campaignId,
      pricing: campaignId,
      priceMicros,
    })
    const impression = interactionOf(`i-${campaignId}-${n}`, 'impression', NOON + 1000 + n, token)
    const click = interactionOf(`c-${campaignId}-${n}`, 'click', NOON + 5000 + n, token)
    return campaignId === 'cpc' ? [impression, click] : [impression]
  })
  await log.append(TOPICS.interactions, events.map(recordOf))
  const verdicts = async () =>
    (
      await database.postgres.query<{ reason: string; amount: bigint; price: bigint }>(
        'select reason, amount_micros as amount, price_micros as price from charges where campaign_id = $1 order by occurred_at',
        [campaignId],
      )
    ).rows
  await until(async () => (await verdicts()).length === prices.length, 'all verdicts')
  return verdicts()
}

it("the page's clicks against a daily budget are billed as it says", async () => {
  const rows = pageTable(PAGE, 'budget')
  const verdicts = await billed(
    'cpc',
    rows.map(({ price }) => parseMoney(price!)),
  )
  let [spent, over] = [0n, 0n]
  const printed = verdicts.map(({ reason, amount, price }) => {
    spent += amount
    if (reason.startsWith('over_')) over += price
    return { outcome: reason || 'charged', spent: formatMoney(spent), over: formatMoney(over) }
  })
  expect(printed).toEqual(
    rows.map((row) => ({ outcome: row.outcome, spent: row['spent that day'], over: row['over-delivery'] })),
  )
})

it("the page's impressions cost exactly what it says", async () => {
  const [row] = pageTable(PAGE, 'cpm')
  const verdicts = await billed('cpm', Array(Number(row!.impressions)).fill(parseMoney('0.0333')))
  expect(verdicts.map(({ amount }) => amount).join(' ')).toBe(row!['charged each, in micros'])
  expect(formatMoney(verdicts.reduce((sum, { amount }) => sum + amount, 0n))).toBe(row!.spend)
})

it('the page lists every check', () => {
  const listed = pageTable(PAGE, 'checks').map(({ check }) => check!.replaceAll('`', ''))
  expect(listed).toEqual(CHECKS)
})
