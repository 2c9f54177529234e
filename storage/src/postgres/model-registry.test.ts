import { createHash } from 'node:crypto'
import { EndcapError } from '@endcap/contracts'
import type { Postgres } from '@endcap/platform/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/index.js'
import {
  getModel,
  getModelBytes,
  insertModel,
  listModels,
  liveModel,
  liveModelVersion,
  promoteModel,
  rejectModel,
  rollbackModel,
} from './model-registry.js'

let test: TestPostgres
let postgres: Postgres
let minute = 0

beforeAll(async () => {
  test = await startTestPostgres()
  postgres = test.postgres
})
afterAll(() => test?.stop())
beforeEach(() => postgres.query('truncate models'))

const later = () => new Date(Date.UTC(2026, 0, 1, 0, minute++))
const add = (version: string) =>
  insertModel(
    postgres,
    {
      version,
      featureSet: 'fs1',
      onnx: new TextEncoder().encode(`onnx of ${version}`),
      metrics: { auc: 0.71 },
      gate: { passed: true },
      trainedRows: 9_007_199_254_740_993n,
    },
    later(),
  )
const promote = (version: string) =>
  postgres.transaction((tx) => promoteModel(tx, version, { by: 'key_1', now: later() }))
const rollback = () => postgres.transaction((tx) => rollbackModel(tx, { by: 'key_2', now: later() }))
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof EndcapError ? error.code : error),
  )

describe('the model registry', () => {
  it('gives a model back as it was stored', async () => {
    const added = await add('m1')
    expect(added).toMatchObject({
      version: 'm1',
      status: 'candidate',
      featureSet: 'fs1',
      sha256: createHash('sha256').update('onnx of m1').digest('hex'),
      metrics: { auc: 0.71 },
      gate: { passed: true },
      trainedRows: 9_007_199_254_740_993n,
      promotedAt: null,
    })
    expect(await getModel(postgres, 'm1')).toEqual(added)
    expect(Buffer.from((await getModelBytes(postgres, 'm1'))!).toString()).toBe('onnx of m1')
    expect(await getModel(postgres, 'm2')).toBeUndefined()
    expect(await getModelBytes(postgres, 'm2')).toBeUndefined()
    await add('m2')
    expect((await listModels(postgres)).map((model) => model.version)).toEqual(['m2', 'm1'])
  })

  it('has no live model until one is promoted, and says who did it', async () => {
    await add('m1')
    expect(await liveModelVersion(postgres)).toBeUndefined()
    expect(await liveModel(postgres)).toBeUndefined()
    const promoted = await promote('m1')
    expect(promoted).toMatchObject({ status: 'live', promotedBy: 'key_1' })
    expect(await liveModelVersion(postgres)).toBe('m1')
    expect(Buffer.from((await liveModel(postgres))!.onnx).toString()).toBe('onnx of m1')
    expect(await promote('m1')).toEqual(promoted)
  })

  it('has exactly one live model after many promotions at once', async () => {
    const versions = Array.from({ length: 8 }, (_, i) => `m${i}`)
    for (const version of versions) await add(version)
    await Promise.all(versions.map(promote))
    const statuses = (await listModels(postgres)).map((model) => model.status)
    expect(statuses.filter((status) => status === 'live')).toHaveLength(1)
    expect(statuses.filter((status) => status === 'retired')).toHaveLength(7)
  })

  it('rolls back to what was live before, step by step, and says who did it', async () => {
    for (const version of ['m1', 'm2', 'm3']) {
      await add(version)
      await promote(version)
    }
    expect((await rollback()).version).toBe('m2')
    expect(await getModel(postgres, 'm3')).toMatchObject({ status: 'retired', rolledBackBy: 'key_2' })
    expect((await rollback()).version).toBe('m1')
    expect(await codeOf(rollback())).toBe('conflict')
    expect(await liveModelVersion(postgres)).toBe('m1')
    await promote('m3')
    expect((await rollback()).version).toBe('m2')
  })

  it('keeps a rejected candidate from going live, and a model that was live from being rejected', async () => {
    await add('m1')
    await add('m2')
    const reject = (version: string) =>
      postgres.transaction((tx) => rejectModel(tx, version, { passed: false }))
    expect(await reject('m2')).toMatchObject({ status: 'rejected', gate: { passed: false } })
    expect(await codeOf(promote('m2'))).toBe('conflict')
    await promote('m1')
    expect(await codeOf(reject('m1'))).toBe('conflict')
    expect(await codeOf(promote('unknown'))).toBe('not_found')
    expect(await codeOf(reject('unknown'))).toBe('not_found')
  })
})
