import type { Postgres } from '@endcap/platform/postgres'
import { emptySnapshot, encodeStats, FEATURE_SET } from '@endcap/ranking'
import { insertModel, promoteModel, putSnapshot } from '@endcap/storage/postgres'
import { startTestPostgres, type TestPostgres } from '@endcap/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdServerHarness, NOW_MS, rankBodyOf, startAdServer } from '../test-support/ad-server-harness.js'
import { tinyModel } from '../test-support/tiny-model.js'

let test: TestPostgres
let postgres: Postgres
let ads: AdServerHarness
beforeAll(async () => {
  test = await startTestPostgres()
  postgres = test.postgres
  ads = await startAdServer({ postgres })
})
afterAll(async () => {
  await ads?.close()
  await test?.stop()
})

const now = new Date(NOW_MS)
async function promote(version: string, onnx: Uint8Array): Promise<void> {
  await insertModel(
    postgres,
    { version, featureSet: FEATURE_SET, onnx, metrics: {}, gate: {}, trainedRows: 1n },
    now,
  )
  await postgres.transaction((tx) => promoteModel(tx, version, { by: 'test', now }))
  await ads.server.refresh()
}
const rank = async () => {
  const body = (await ads.post('/v1/rank', rankBodyOf())).json()
  return {
    version: body.modelVersion,
    degraded: body.degraded,
    listings: body.slots.map((slot: { listingId: string }) => slot.listingId),
  }
}

describe('models in serving', () => {
  it('answers from smoothed rates, in the search engine’s order, while there is no model, and says so', async () => {
    expect(await rank()).toEqual({
      version: 'smoothed-rates',
      degraded: ['model_unavailable'],
      listings: ['S1', 'O1', 'O2', 'S2', 'O3', 'O4'],
    })
  })
  it('takes up a promoted model without a restart; organic results follow it', async () => {
    await promote('mdl_1', tinyModel('mdl_1', -3))
    expect(await rank()).toEqual({
      version: 'mdl_1',
      degraded: [],
      listings: ['S1', 'O1', 'O2', 'S2', 'O3', 'O4'],
    })
    // A model that loves low ranks turns the list around.
    await promote('mdl_2', tinyModel('mdl_2', -3, { organic_inverse_rank: -12 }))
    const { version, listings } = await rank()
    expect(version).toBe('mdl_2')
    expect(listings.filter((id: string) => id.startsWith('O'))).toEqual(['O5', 'O4', 'O3', 'O2'])
    const keepOrder = (await ads.post('/v1/rank', rankBodyOf({ rerank: false, slots: { total: 3 } }))).json()
    expect(keepOrder.slots.map((slot: { listingId: string }) => slot.listingId)).toEqual(['O1', 'O2', 'O3'])
  })
  it('stays with the former model when the promoted one cannot be loaded', async () => {
    await promote('mdl_bad', new Uint8Array([1, 2, 3]))
    expect((await rank()).version).toBe('mdl_2')
  })
  it('uses new statistics when they come', async () => {
    await postgres.transaction((tx) => putSnapshot(tx, 'stats', encodeStats(emptySnapshot('stats-7')), now))
    await ads.server.refresh()
    expect((await rank()).version).toBe('mdl_2')
  })
  it('starts with the copy on disk while Postgres is away', async () => {
    ads = await ads.restart({ postgres: undefined })
    await ads.server.refresh()
    expect((await rank()).version).toBe('mdl_2')
  })
})
