import { createSequentialIdSource } from '@endcap/contracts'
import { silentLogger } from '@endcap/platform/logging'
import {
  decodeStats,
  FEATURE_COUNT,
  FEATURE_SET,
  GOLDEN_ROWS,
  loadPredictor,
  POSITION_COLUMN,
  positionFeature,
  STATS_SNAPSHOT_KIND,
} from '@endcap/ranking'
import {
  getModelBytes,
  getSnapshot,
  latestSnapshotVersion,
  listModels,
  liveModelVersion,
} from '@endcap/storage/postgres'
import {
  startTestClickHouse,
  startTestPostgres,
  type TestClickHouse,
  type TestPostgres,
} from '@endcap/storage/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readDataset } from './dataset/read-dataset.js'
import { buildStats } from './stats-job.js'
import { interaction, type Market, storeMarket, syntheticMarket } from './testing/synthetic-market.js'
import { type TrainProgress, trainModel } from './train-job.js'

const START_MS = Date.UTC(2026, 0, 5, 8)
const NOW_MS = START_MS + 6 * 3_600_000
const HOURS = { fromMs: START_MS, toMs: NOW_MS, maxRows: 1_000_000 }

let clickhouse: TestClickHouse
let database: TestPostgres
const market: Market = syntheticMarket({ auctions: 1500, seed: 7, startMs: START_MS })

beforeAll(async () => {
  clickhouse = await startTestClickHouse()
  await storeMarket(clickhouse.clickhouse, market, 'learnable')
})
beforeEach(async () => {
  database = await startTestPostgres()
  return () => database.stop()
})
afterAll(async () => {
  await clickhouse?.close()
})

const deps = () => ({
  clickhouse: clickhouse.clickhouse,
  postgres: database.postgres,
  clock: () => NOW_MS,
  ids: createSequentialIdSource(),
  logger: silentLogger(),
})

describe('the training set', () => {
  it('holds each shown slot as it was served, to the bit, but for the position', async () => {
    const dataset = await readDataset(clickhouse.clickhouse, HOURS)
    expect(dataset.rows).toBe(1500 * 8)
    let row = 0
    for (const { features } of market.served) {
      for (let slot = 0; slot < 8; slot++, row++) {
        const expected = features.slice(slot * FEATURE_COUNT, (slot + 1) * FEATURE_COUNT)
        expect(expected[POSITION_COLUMN]).toBe(0)
        expected[POSITION_COLUMN] = positionFeature(slot + 1)
        const read = dataset.features.slice(row * FEATURE_COUNT, (row + 1) * FEATURE_COUNT)
        if (!Buffer.from(read.buffer).equals(Buffer.from(expected.buffer))) expect(read).toEqual(expected)
      }
    }
  })

  it('labels exactly the clicked slots and the clicks that earned an order', async () => {
    const dataset = await readDataset(clickhouse.clickhouse, HOURS)
    const clicks = market.interactions.filter((event) => event.type === 'click')
    const keys = new Set(clicks.map((event) => `${event.data.auctionId}:${event.data.position}`))
    const auctions = market.served.map(({ event }) => event.data.auctionId)
    for (let row = 0; row < dataset.rows; row++) {
      const key = `${auctions[Math.floor(row / 8)]}:${dataset.positions[row]}`
      if (keys.has(key) !== (dataset.clicked[row] === 1)) expect(key).toBe('labelled rightly')
    }
    expect(dataset.clicked.reduce((sum, label) => sum + label, 0)).toBe(clicks.length)
    expect(dataset.ordered.reduce((sum, label) => sum + label, 0)).toBe(market.attributions.length)
  })

  it('keeps the newest rows when there are too many, and leaves out what is outside the range', async () => {
    const newest = await readDataset(clickhouse.clickhouse, { ...HOURS, maxRows: 80 })
    expect(newest.rows).toBe(80)
    expect(newest.occurredAtMs[79]).toBe(START_MS + 1499_000)
    expect(Array.from(newest.occurredAtMs)).toEqual([...newest.occurredAtMs].sort((a, b) => a - b))
    const first = await readDataset(clickhouse.clickhouse, { ...HOURS, toMs: START_MS + 10_000 })
    expect(first.rows).toBe(80)
    const none = await readDataset(clickhouse.clickhouse, { ...HOURS, toMs: START_MS })
    expect(none.rows).toBe(0)
  })

  it('leaves out slots without an impression, and counts one that was reported twice once', async () => {
    const startMs = Date.UTC(2026, 3, 1)
    const small = syntheticMarket({ auctions: 2, seed: 3, startMs })
    const [first, second] = small.served
    const seen = [1, 1, 2].map((position, copy) => ({
      ...interaction('impression', first!.event, position, `L${position}`, startMs + 5),
      id: `seen_${copy}`,
    }))
    // A click without an impression teaches nothing: nobody knows what else was seen.
    const blind = interaction('click', second!.event, 4, 'L4', startMs + 1005)
    await storeMarket(
      clickhouse.clickhouse,
      { ...small, interactions: [...seen, blind], attributions: [] },
      'unseen',
    )
    const dataset = await readDataset(clickhouse.clickhouse, {
      ...HOURS,
      fromMs: startMs,
      toMs: startMs + 60_000,
    })
    expect(Array.from(dataset.positions)).toEqual([1, 2])
  })
})

describe('training', () => {
  it('puts a model live that beats the base rate, and registers what serving needs', async () => {
    const stages: TrainProgress[] = []
    const outcome = await trainModel(
      { ...deps(), onProgress: (progress) => stages.push(progress) },
      { promote: true, actor: 'test' },
    )
    expect(outcome.gate.checks.filter((check) => !check.ok)).toEqual([])
    expect(outcome).toMatchObject({ status: 'live', rows: 12_000, gate: { passed: true } })
    expect(outcome.gate.checks.some(({ name }) => name === 'better_than_logistic')).toBe(
      outcome.trees.ctr > 0,
    )
    const { logLoss, baseRateLogLoss, auc, calibration } = outcome.metrics
    expect(logLoss!).toBeLessThan(baseRateLogLoss!)
    expect(auc!).toBeGreaterThan(0.65)
    expect(calibration!).toBeGreaterThan(0.8)
    expect(calibration!).toBeLessThan(1.25)
    expect(outcome.metrics.perPosition.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(await liveModelVersion(database.postgres)).toBe(outcome.version)
    const predictor = await loadPredictor((await getModelBytes(database.postgres, outcome.version))!)
    expect(predictor).toMatchObject({ version: outcome.version, featureSet: FEATURE_SET })
    expect(predictor.metadata.golden.pctr).toHaveLength(GOLDEN_ROWS)
    expect(predictor.metadata.trainedTo < new Date(START_MS + 1500_000).toISOString()).toBe(true)
    await predictor.close()
    expect(new Set(stages.map(({ stage }) => stage))).toEqual(new Set(['read', 'fit', 'evaluate', 'store']))
  })

  it('grows trees where shoppers want what no line can say, and says by how much they are better', async () => {
    const startMs = Date.UTC(2026, 4, 1)
    const crossed = syntheticMarket({
      auctions: 2500,
      seed: 9,
      startMs,
      firstNumber: 1_000_000,
      crossedTastes: true,
    })
    await storeMarket(clickhouse.clickhouse, crossed, 'crossed')
    const range = { from: new Date(startMs), to: new Date(startMs + 3_600_000) }
    const outcome = await trainModel(deps(), { ...range, promote: true, actor: 'test' })
    expect(outcome).toMatchObject({ status: 'live', rows: 20_000 })
    expect(outcome.trees.ctr).toBeGreaterThan(5)
    const check = outcome.gate.checks.find(({ name }) => name === 'better_than_logistic')!
    expect(check).toMatchObject({ left: outcome.metrics.logLoss, ok: true })
    expect(check.right! - check.left!).toBeGreaterThan(0.02)
    expect(outcome.trees.cvr).toBeGreaterThan(0)
    expect(outcome.gate.checks.find(({ name }) => name === 'orders_better_than_logistic')).toMatchObject({
      ok: true,
    })
    const [stored] = await listModels(database.postgres)
    expect(stored!.metrics).toMatchObject({ trees: outcome.trees })
  })

  it('learned that a higher place is clicked more, and that a title that answers the query is', async () => {
    const { version } = await trainModel(deps(), { promote: false, actor: 'test' })
    const predictor = await loadPredictor((await getModelBytes(database.postgres, version))!)
    const rows = new Float32Array(3 * FEATURE_COUNT)
    const usual = market.served[1400]!.features.slice(0, FEATURE_COUNT)
    usual[POSITION_COLUMN] = 0
    const title = 7
    usual[title] = 0
    rows.set(usual, 0)
    rows.set(usual, FEATURE_COUNT)
    rows[FEATURE_COUNT + POSITION_COLUMN] = positionFeature(5)
    rows.set(usual, 2 * FEATURE_COUNT)
    rows[2 * FEATURE_COUNT + title] = 1
    const { pctr } = await predictor.predict(rows, 3)
    await predictor.close()
    expect(pctr[0]!).toBeGreaterThan(pctr[1]!)
    expect(pctr[2]!).toBeGreaterThan(pctr[0]!)
  })

  it('gives the same file from the same rows', async () => {
    const first = await trainModel(deps(), { promote: false, actor: 'test' })
    const second = await startTestPostgres()
    try {
      const again = await trainModel(
        { ...deps(), postgres: second.postgres },
        { promote: false, actor: 'test' },
      )
      expect(again).toEqual(first)
      expect(await getModelBytes(second.postgres, again.version)).toEqual(
        await getModelBytes(database.postgres, first.version),
      )
    } finally {
      await second.stop()
    }
  })

  it('leaves a model that is no better than the live one out', async () => {
    const shared = deps()
    const first = await trainModel(shared, { promote: true, actor: 'test' })
    const second = await trainModel(shared, { promote: true, actor: 'test' })
    expect(second.status).toBe('rejected')
    expect(second.gate.checks.filter((check) => !check.ok)).toMatchObject([{ name: 'better_than_live' }])
    expect(await liveModelVersion(database.postgres)).toBe(first.version)
    const models = await listModels(database.postgres)
    expect(models.map(({ version, status }) => [version, status])).toEqual([
      [second.version, 'rejected'],
      [first.version, 'live'],
    ])
  })

  it('keeps a passing model as a candidate when it is not to be promoted', async () => {
    const outcome = await trainModel(deps(), { promote: false, actor: 'test' })
    expect(outcome).toMatchObject({ status: 'candidate', gate: { passed: true } })
    expect(await liveModelVersion(database.postgres)).toBeUndefined()
  })

  it('never puts a model live that learned from clicks without a pattern and lacks rows', async () => {
    const startMs = Date.UTC(2026, 5, 1)
    const blind = syntheticMarket({ auctions: 40, seed: 5, startMs, blindClicks: true })
    await storeMarket(clickhouse.clickhouse, blind, 'blind')
    const range = { from: new Date(startMs), to: new Date(startMs + 3_600_000) }
    const outcome = await trainModel(deps(), { ...range, promote: true, actor: 'test' })
    expect(outcome.status).toBe('rejected')
    expect(outcome.gate.checks.find((check) => check.name === 'enough_training_rows')).toMatchObject({
      ok: false,
    })
    expect(await liveModelVersion(database.postgres)).toBeUndefined()
  })

  it('says so, and registers nothing, when there is nothing to learn from', async () => {
    const from = new Date(Date.UTC(2020, 0, 1))
    const outcome = await trainModel(deps(), {
      from,
      to: new Date(Date.UTC(2020, 0, 2)),
      promote: true,
      actor: 'test',
    })
    expect(outcome).toMatchObject({ version: '', status: 'rejected', rows: 0, gate: { passed: false } })
    expect(await listModels(database.postgres)).toEqual([])
  })
})

describe('statistics', () => {
  it('count what replaying the same events counts', async () => {
    const now = new Date(NOW_MS)
    await database.postgres.query(
      `insert into merchants (id, name, currency, time_zone, created_at, updated_at) values ('mer_1', 'm', 'EUR', 'UTC', $1, $1)`,
      [now],
    )
    await database.postgres.query(
      `insert into listings (id, merchant_id, title, url, categories, price_micros, currency, status, content_hash, created_at, updated_at)
       select 'L' || n, 'mer_1', 't', 'https://shop.example/', array['c' || (n % 6)], 1, 'EUR', 'active', '', $1, $1
       from generate_series(0, 59) as n`,
      [now],
    )
    const outcome = await buildStats(deps())
    expect(await latestSnapshotVersion(database.postgres, STATS_SNAPSHOT_KIND)).toBe(outcome.version)
    const stored = await getSnapshot(database.postgres, STATS_SNAPSHOT_KIND, outcome.version)
    const stats = decodeStats(stored!.content)
    const mine = market.interactions.filter((event) => event.data.listingId === 'L7')
    const ofQuery = mine.filter((event) => event.data.searchTerm === 'red')
    const orders = market.attributions.filter((row) => row.listingId === 'L7')
    expect(stats.listing('L7')).toEqual({
      impressions: mine.filter((event) => event.type === 'impression').length,
      clicks: mine.filter((event) => event.type === 'click').length,
      orders: orders.length,
    })
    expect(stats.queryListing('red', 'L7')).toEqual({
      impressions: ofQuery.filter((event) => event.type === 'impression').length,
      clicks: ofQuery.filter((event) => event.type === 'click').length,
      orders: orders.filter((row) => row.searchTerm === 'red').length,
    })
    const ofCategory = market.interactions.filter((event) => Number(event.data.listingId.slice(1)) % 6 === 2)
    expect(stats.category('c2')).toMatchObject({
      impressions: ofCategory.filter((event) => event.type === 'impression').length,
      clicks: ofCategory.filter((event) => event.type === 'click').length,
    })
    const clicks = market.interactions.filter((event) => event.type === 'click').length
    expect(stats.priorCtr).toBeCloseTo((0.02 * 50 + clicks) / (50 + 12_000), 9)
    expect(stats.referenceLift).toBeGreaterThan(1.2)
    expect(stats.listing('nobody')).toBeUndefined()
  })
})
