import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { INTERACTION_TYPES, TOPIC_SPECS, TOPICS } from '@endcap/contracts'
import { type ClickHouse, ClickHouseError, defineQuery, int64Cell } from '@endcap/platform/clickhouse'
import type { EmbeddedLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import {
  auctionReads,
  auctionSlotCounts,
  chargeReads,
  interactionReads,
  orderLineReads,
  performanceDayTotals,
  performanceMinuteTotals,
  verdictCounts,
  verdictsOfInteraction,
} from '@endcap/storage/clickhouse'
import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import {
  appendDeadLetters,
  listDeadLetters,
  replayDeadLetters,
  showDeadLetter,
} from '../dead-letters/index.js'
import { tickOf } from '../testing/marketplace.js'
import { createIngest, ingestedThrough, isIngested } from './index.js'
import {
  auctionOf,
  chargeOf,
  clawbackOf,
  featuresOf,
  interactionOf,
  openTestLog,
  orderOf,
  recordOf,
  verdictsOf,
} from './testing/events.js'

const PATIENT = { timeout: 30_000, interval: 20 }

describe('ingest', () => {
  let harness: TestClickHouse
  let clickhouse: ClickHouse
  let dir: string
  let log: EmbeddedLog
  beforeAll(async () => {
    harness = await startTestClickHouse()
    clickhouse = harness.clickhouse
  })
  afterAll(async () => {
    await harness?.close()
  })

  const tables = [
    'auctions_v1',
    'auction_slots_v1',
    'interactions_v1',
    'charges_v1',
    'order_lines_v1',
    'free_verdicts_v1',
  ]

  /** Runs ingest over a fresh log and fresh tables. */
  async function withIngest(
    work: (started: { registry: Registry; component: ReturnType<typeof createIngest> }) => Promise<void>,
    overrides: Partial<Parameters<typeof createIngest>[0]> = {},
  ): Promise<void> {
    for (const table of [...tables, 'performance_minute_v1', 'performance_day_v1']) {
      await clickhouse.command(`truncate table ${table}`)
    }
    dir = await mkdtemp(join(tmpdir(), 'endcap-ingest-'))
    log = openTestLog(dir)
    await log.ensureTopics(TOPIC_SPECS)
    const registry = new Registry()
    const component = createIngest({
      log,
      // Offsets of a fresh log begin at 0 again, so tokens of the test before must not be taken for this one's.
      clickhouse: withTokens(clickhouse, dir),
      clock: Date.now,
      logger: silentLogger(),
      registry,
      lingerMs: 5,
      retryDelayMs: 5,
      ...overrides,
    })
    await component.start()
    try {
      await work({ registry, component })
    } finally {
      await component.stop()
      await log.close()
      await rm(dir, { recursive: true, force: true })
    }
  }

  const withTokens = (inner: ClickHouse, salt: string): ClickHouse => ({
    ...inner,
    insertEncoded: (table, lines, { token }) =>
      inner.insertEncoded(table, lines, { token: `${salt}/${token}` }),
  })

  const stored = () => vi.waitUntil(() => isIngested(log), PATIENT)

  it('gives every interaction one verdict, priced or free, however often its event comes', async () => {
    await withIngest(async () => {
      for (let time = 0; time < 2; time++) {
        await log.append(
          TOPICS.charges,
          [verdictsOf(1, 10, 3), chargeOf(1), verdictsOf(2, 13, 2), verdictsOf(1, 10, 3)].map(recordOf),
        )
        await stored()
      }
      expect(await clickhouse.query(verdictCounts, {})).toEqual([
        { type: 'click', valid: true, reason: '', verdicts: 1, interactions: 1 },
        { type: 'impression', valid: true, reason: '', verdicts: 5, interactions: 5 },
      ])
      expect(await clickhouse.query(verdictsOfInteraction, { id: 'evt_impression_14' })).toEqual([
        { type: 'impression', valid: true, reason: '', charged: false },
      ])
      expect(await clickhouse.query(chargeReads.counts, {})).toEqual([{ rows: 3, ids: 3 }])
    })
  })

  it('stores every kind of event, its money and its features exact, and the rollups with it', async () => {
    await withIngest(async ({ registry }) => {
      await log.append(TOPICS.auctions, [auctionOf(1)].map(recordOf))
      await log.append(
        TOPICS.interactions,
        INTERACTION_TYPES.map((type) => recordOf(interactionOf(1, type))),
      )
      await log.append(TOPICS.orders, [recordOf(orderOf(1))])
      await log.append(TOPICS.charges, [recordOf(chargeOf(1, 9_007_199_254_740_993n))])
      await stored()

      const slots = defineQuery({
        name: 'slots',
        params: z.object({}),
        row: z.object({
          candidate: z.int(),
          features: z.array(z.number().nullable()),
          priceMicros: int64Cell,
          organic: z.number().nullable(),
        }),
        sql: 'select candidate, features, price_micros as priceMicros, organic_score as organic from auction_slots_v1 order by candidate',
      })
      const rows = await clickhouse.query(slots, {})
      expect(rows.map((row) => row.priceMicros)).toEqual([100_000n, 0n, 0n])
      expect(rows.map((row) => row.organic)).toEqual([null, 12.5, 12.5])
      expect(rows.map((row) => row.features.map((value) => value && Math.fround(value)))).toEqual(
        [0, 1, 2].map((i) => [i, Math.fround(0.1), null, -1.5]),
      )
      const money = defineQuery({
        name: 'money',
        params: z.object({}),
        row: z.object({ amount: int64Cell, price: int64Cell }),
        sql: `select (select sum(amount_micros) from charges_v1) as amount,
          (select max(unit_price_micros) from order_lines_v1) as price`,
      })
      expect(await clickhouse.query(money, {})).toEqual([
        { amount: 9_007_199_254_740_993n, price: 9_007_199_254_740_993n },
      ])
      const totals = {
        impressions: 1,
        viewableImpressions: 1,
        clicks: 1,
        invalidImpressions: 0,
        invalidClicks: 0,
        spendMicros: 9_007_199_254_740_993n,
      }
      expect(await clickhouse.query(performanceMinuteTotals, {})).toEqual([totals])
      expect(await clickhouse.query(performanceDayTotals, {})).toEqual([totals])
      const metrics = await registry.metrics()
      expect(metrics).toContain('endcap_ingest_rows_total{table="auction_slots_v1"} 3')
      expect(metrics).toContain(`endcap_ingest_lag_records{topic="${TOPICS.orders}"} 0`)
    })
  })

  it('stores an event once that was appended twice, in one range and in another', async () => {
    await withIngest(async ({ registry }) => {
      const events = Array.from({ length: 50 }, (_, n) => recordOf(interactionOf(n)))
      await log.append(TOPICS.interactions, [...events, ...events])
      await stored()
      await log.append(TOPICS.interactions, [...events, recordOf(interactionOf(50))])
      await log.append(TOPICS.auctions, [auctionOf(1), auctionOf(1)].map(recordOf))
      await stored()
      await log.append(TOPICS.auctions, [recordOf(auctionOf(1))])
      await log.append(TOPICS.orders, [orderOf(1), orderOf(1)].map(recordOf))
      await stored()
      expect(await clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 51, ids: 51 }])
      expect((await clickhouse.query(performanceMinuteTotals, {}))[0]!.impressions).toBe(51)
      expect(await clickhouse.query(auctionSlotCounts, {})).toEqual([{ rows: 3, distinct: 3, events: 1 }])
      expect(await clickhouse.query(orderLineReads.counts, {})).toEqual([{ rows: 2, ids: 1 }])
      expect(await registry.metrics()).toContain(
        `endcap_ingest_records_total{topic="${TOPICS.interactions}",outcome="duplicate"} 100`,
      )
    })
  })

  it('stores a charge given back once, however often it is told, and its day is restated once', async () => {
    await withIngest(async () => {
      await log.append(TOPICS.charges, [chargeOf(1), chargeOf(2), clawbackOf(1), clawbackOf(1)].map(recordOf))
      await stored()
      await log.append(TOPICS.charges, [recordOf(clawbackOf(1))])
      await stored()
      const restated = { invalidImpressions: 0, invalidClicks: 1, spendMicros: 100_000n }
      expect(await clickhouse.query(performanceMinuteTotals, {})).toMatchObject([restated])
      expect(await clickhouse.query(performanceDayTotals, {})).toMatchObject([restated])
      expect(await clickhouse.query(chargeReads.counts, {})).toEqual([{ rows: 3, ids: 3 }])
    })
  })

  it('sets aside what it cannot store, with the reason, and stores the rest', async () => {
    await withIngest(async () => {
      const good = recordOf(interactionOf(1))
      const data = interactionOf(2)
      const bad: [string, string | null][] = [
        ['not_json', '{"id":'],
        ['not_json', null],
        ['unknown_type', JSON.stringify({ ...data, type: 'teleport' })],
        ['invalid_event', '[]'],
        ['invalid_event', JSON.stringify({ ...data, data: { ...data.data, sponsored: 'yes' } })],
        ['value_out_of_range', JSON.stringify({ ...data, data: { ...data.data, position: 70_000 } })],
        ['value_out_of_range', JSON.stringify({ ...data, occurredAt: 'yesterday' })],
        ['value_out_of_range', JSON.stringify({ ...data, occurredAt: '9999-01-01T00:00:00Z' })],
      ]
      await log.append(TOPICS.interactions, [
        ...bad.map(([, value]) => ({ key: 'mer_1', value, headers: { trace: 't1' } })),
        good,
      ])
      const auction = auctionOf(2)
      await log.append(TOPICS.auctions, [
        recordOf({ ...auction, data: { ...auction.data, features: featuresOf([[1]]) } } as typeof auction),
        recordOf({ ...auction, data: { ...auction.data, features: '***' } } as typeof auction),
      ])
      await log.append(TOPICS.charges, [
        recordOf(chargeOf(1, 9_999_999_999_999_999_999n)),
        recordOf(chargeOf(2)),
      ])
      await stored()

      expect(await clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 1, ids: 1 }])
      expect(await clickhouse.query(chargeReads.counts, {})).toEqual([{ rows: 1, ids: 1 }])
      expect(await clickhouse.query(auctionReads.counts, {})).toEqual([{ rows: 0, ids: 0 }])
      const { items } = await listDeadLetters(log, { limit: 200 })
      const reasons = items.filter(({ topic }) => topic === TOPICS.interactions).map(({ reason }) => reason)
      expect(reasons).toEqual(bad.map(([reason]) => reason))
      expect(items.filter(({ topic }) => topic === TOPICS.auctions)).toHaveLength(2)
      expect(items.filter(({ topic }) => topic === TOPICS.charges)).toHaveLength(1)
      const wrongField = items.find(({ detail }) => detail.includes('/data/sponsored'))!
      const shown = await showDeadLetter(log, wrongField.id)
      expect(shown).toMatchObject({
        key: 'mer_1',
        value: bad[4]![1],
        headers: { trace: 't1' },
        step: 'readEvent',
      })
    })
  })

  it('makes neither a row nor a dead letter of a tick, alone and among interactions', async () => {
    await withIngest(async ({ registry }) => {
      const tick = {
        key: 'mer_1',
        value: JSON.stringify(tickOf('mer_1', Date.parse('2026-03-10T12:00:00Z'))),
      }
      await log.append(TOPICS.interactions, [tick])
      await stored()
      await log.append(TOPICS.interactions, [recordOf(interactionOf(1)), tick, recordOf(interactionOf(2))])
      await stored()
      expect(await clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 2, ids: 2 }])
      expect((await listDeadLetters(log)).items).toEqual([])
      expect(await registry.metrics()).toContain(
        `endcap_ingest_records_total{topic="${TOPICS.interactions}",outcome="unstored"} 2`,
      )
    })
  })

  it('stores a replayed dead letter once, however often it is put back', async () => {
    await withIngest(async () => {
      // As an older version left it, that did not know this event yet.
      const record = { ...recordOf(interactionOf(7)), offset: 3n, appendedAtMs: 0, headers: {} }
      const draft = {
        topic: TOPICS.interactions,
        partition: 0,
        record,
        reason: 'unknown_type',
        detail: '',
        step: 'readEvent',
      }
      await appendDeadLetters(log, [draft], Date.now())
      const id = `${TOPICS.interactions}:0:3`
      expect((await replayDeadLetters(log, { ids: [id] })).replayed).toEqual([id])
      expect(await replayDeadLetters(log, { ids: [id] })).toMatchObject({
        replayed: [],
        alreadyReplayed: [id],
      })
      // A crash between putting back and marking would put it back once more.
      await log.append(TOPICS.interactions, [record])
      await stored()
      expect(await clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 1, ids: 1 }])
      expect((await clickhouse.query(performanceMinuteTotals, {}))[0]!.impressions).toBe(1)
    })
  })

  it('sets a replayed record aside again while it is still broken', async () => {
    await withIngest(async () => {
      await log.append(TOPICS.interactions, [{ key: 'mer_1', value: 'broken' }])
      await stored()
      await replayDeadLetters(log)
      await stored()
      expect((await listDeadLetters(log)).items.map(({ replayed }) => replayed)).toEqual([true, false])
    })
  })

  it('completes the rollups of a batch that died between the raw table and its views', async () => {
    let attempts = 0
    const dying: ClickHouse = {
      ...clickhouse,
      async insertEncoded(table, lines, { token }) {
        const options = { token: `dying/${token}` }
        if (++attempts > 1) return clickhouse.insertEncoded(table, lines, options)
        await clickhouse.command('detach table interactions_to_minute_mv_v1')
        await clickhouse.insertEncoded(table, lines, options)
        await clickhouse.command('attach table interactions_to_minute_mv_v1')
        throw new ClickHouseError(0, 'UNREACHABLE', 'socket hang up', table.name)
      },
    }
    await withIngest(
      async () => {
        await log.append(TOPICS.interactions, [recordOf(interactionOf(1))])
        await stored()
        expect(attempts).toBe(2)
        expect(await clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 1, ids: 1 }])
        for (const totals of [performanceMinuteTotals, performanceDayTotals]) {
          expect(await clickhouse.query(totals, {})).toMatchObject([{ impressions: 1 }])
        }
      },
      { clickhouse: dying },
    )
  })

  it('brings back what a fault took of a batch that it had stored and not noted down', async () => {
    let attempts = 0
    const dying: ClickHouse = {
      ...clickhouse,
      async insertEncoded(table, lines, { token }) {
        await clickhouse.insertEncoded(table, lines, { token: `lost/${dir}/${token}` })
        if (++attempts > 1) return
        await clickhouse.command('delete from interactions_v1 where true')
        await clickhouse.command('delete from performance_day_v1 where true')
        throw new ClickHouseError(0, 'UNREACHABLE', 'socket hang up', table.name)
      },
    }
    await withIngest(
      async ({ registry }) => {
        await log.append(TOPICS.interactions, [recordOf(interactionOf(1))])
        await stored()
        expect(await clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 1, ids: 1 }])
        for (const totals of [performanceMinuteTotals, performanceDayTotals]) {
          expect(await clickhouse.query(totals, {})).toMatchObject([{ impressions: 1 }])
        }
        expect(await registry.metrics()).toContain('endcap_ingest_mended_total{table="interactions_v1"} 1')
      },
      { clickhouse: dying },
    )
  })

  it('says why it cannot store, keeps trying, and loses nothing when ClickHouse comes back', async () => {
    let away = true
    const flaky: ClickHouse = {
      ...clickhouse,
      query: (query, params) => {
        if (away) throw new ClickHouseError(0, 'UNREACHABLE', 'connect ECONNREFUSED', query.name)
        return clickhouse.query(query, params)
      },
      insertEncoded: (table, lines, { token }) =>
        clickhouse.insertEncoded(table, lines, { token: `flaky/${token}` }),
    }
    await withIngest(
      async ({ component }) => {
        await log.append(TOPICS.interactions, [recordOf(interactionOf(1)), recordOf(interactionOf(2))])
        await vi.waitUntil(() => component.problem?.() !== undefined, PATIENT)
        expect(await component.problem?.()).toMatch(/cannot be stored: .*ECONNREFUSED/)
        expect((await ingestedThrough(log)).some(({ lag }) => lag > 0n)).toBe(true)
        away = false
        await stored()
        expect(await component.problem?.()).toBeUndefined()
        expect(await clickhouse.query(interactionReads.counts, {})).toEqual([{ rows: 2, ids: 2 }])
      },
      { clickhouse: flaky },
    )
  })
})
