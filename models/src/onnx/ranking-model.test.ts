import {
  computeFeatures,
  emptyStats,
  FEATURE_COUNT,
  FEATURE_NAMES,
  FEATURE_SET,
  GOLDEN_ROWS,
  largestGap,
  loadPredictor,
  ModelFormatError,
  ModelLoadError,
  type ModelMetadata,
  PARITY_TOLERANCE,
  PredictionError,
  type Predictions,
  rankedListing,
  readModelMetadata,
  slateContext,
} from '@endcap/ranking'
import { encodeOnnx } from '@endcap/ranking/onnx'
import { describe, expect, it } from 'vitest'
import { parityOf } from '../parity.js'
import { seededRandom } from '../testing/synthetic-market.js'
import { type BoostedModel, predictBoosted } from '../train/boosted-model.js'
import { fitLogistic, scoreLogistic } from '../train/logistic.js'
import { fitTrees } from '../train/trees.js'
import { encodeRankingModel } from './ranking-model.js'

function trained(seed: number, rounds: number): BoostedModel {
  const random = seededRandom(seed)
  const rows = 600
  const features = Float32Array.from(
    { length: rows * FEATURE_COUNT },
    (_, at) => (random() - 0.5) * (1 + (at % 7)),
  )
  const labels = Uint8Array.from({ length: rows }, (_, row) =>
    features[row * FEATURE_COUNT]! * features[row * FEATURE_COUNT + 1]! + random() > 0.6 ? 1 : 0,
  )
  const data = { rows, columns: FEATURE_COUNT, features, labels }
  const logistic = fitLogistic(data, { l2: 1 })
  const scores = scoreLogistic(logistic, data)
  const options = { rounds, leaves: 15, leastRows: 10, rate: 0.1, l2: 1 }
  return { logistic, trees: rounds === 0 ? [] : fitTrees({ ...data, scores }, options) }
}

const EXTREMES = [0, -0, 1e-45, -1e-45, 1e30, -1e30, 3.4e38, -3.4e38, Infinity, -Infinity]

/** Rows inside and far outside of what training saw, and on its very edges and thresholds. */
function rowsFor({ logistic, trees }: BoostedModel, count: number): Float32Array {
  const random = seededRandom(count)
  const features = new Float32Array(count * FEATURE_COUNT)
  for (let at = 0; at < features.length; at++) {
    const column = at % FEATURE_COUNT
    const kind = random()
    if (kind < 0.5) features[at] = (random() - 0.5) * 8
    else if (kind < 0.6) features[at] = logistic.least[column]!
    else if (kind < 0.7) features[at] = logistic.largest[column]!
    else features[at] = EXTREMES[Math.floor(random() * EXTREMES.length)]!
  }
  // Every threshold in a row of its own, and what stands next to it on either side.
  const next = new Float32Array(1)
  const bits = new Int32Array(next.buffer)
  const splits = trees.flatMap(({ columns, thresholds }) =>
    Array.from(columns, (column, node) => [column, thresholds[node]!] as const),
  )
  for (const [index, [column, threshold]] of splits.entries()) {
    for (const step of [-1, 0, 1]) {
      const row = 3 * index + step + 1
      if (row >= count) break
      next[0] = threshold
      bits[0]! += step
      features[row * FEATURE_COUNT + column] = next[0]!
    }
  }
  return features
}

const ctr = trained(1, 40)
const cvr = trained(2, 0)
const golden = rowsFor(ctr, GOLDEN_ROWS)

const metadata = (over: Partial<ModelMetadata> = {}): ModelMetadata => ({
  version: 'mdl_test',
  featureSet: FEATURE_SET,
  featureNames: FEATURE_NAMES,
  priorCtr: 0.05,
  priorCvr: 0.1,
  trainedFrom: '2026-01-01T00:00:00.000Z',
  trainedTo: '2026-01-02T00:00:00.000Z',
  createdAt: '2026-01-03T00:00:00.000Z',
  golden: {
    features: golden,
    pctr: predictBoosted(ctr, golden, GOLDEN_ROWS),
    pcvr: predictBoosted(cvr, golden, GOLDEN_ROWS),
  },
  ...over,
})

const file = (over: Partial<ModelMetadata> = {}) => encodeRankingModel({ ctr, cvr, metadata: metadata(over) })

describe('a ranking model as ONNX', () => {
  it('predicts what its trainer predicts, to 1e-5, inside and far outside of the data and on each threshold', async () => {
    const predictor = await loadPredictor(file())
    const rows = 3000
    expect(ctr.trees).toHaveLength(40)
    expect(cvr.trees).toHaveLength(0)
    expect(ctr.trees.reduce((sum, { columns }) => sum + columns.length, 0) * 3).toBeLessThan(rows)
    const features = rowsFor(ctr, rows)
    const { pctr, pcvr } = await predictor.predict(features, rows)
    expect(largestGap(pctr, predictBoosted(ctr, features, rows))).toBeLessThanOrEqual(PARITY_TOLERANCE)
    expect(largestGap(pcvr, predictBoosted(cvr, features, rows))).toBeLessThanOrEqual(PARITY_TOLERANCE)
    await predictor.close()
  })

  it('gives equal bytes for equal models, and its metadata comes back', () => {
    expect(file()).toEqual(file())
    expect(readModelMetadata(file())).toEqual(metadata())
  })

  it('ranks a slate as the features say, for one row, many rows and none', async () => {
    const predictor = await loadPredictor(file())
    const listings = Array.from({ length: 150 }, (_, index) => ({
      listing: rankedListing({
        id: `L${index}`,
        title: `red shoe ${index}`,
        categories: ['c'],
        price: index + 1,
      }),
      listingId: `L${index}`,
      organicScore: index,
      organicRank: index + 1,
    }))
    const features = new Float32Array(150 * FEATURE_COUNT)
    const context = slateContext({ query: 'red shoe', placement: 'search', atMs: 0 })
    computeFeatures(context, listings, emptyStats, features)
    const all = await predictor.predict(features, 150)
    const one = await predictor.predict(features, 1)
    expect(all.pctr[0]!).toBeCloseTo(one.pctr[0]!, 6)
    expect((await predictor.predict(features, 0)).pctr).toHaveLength(0)
    await expect(predictor.predict(features, 151)).rejects.toThrow(RangeError)
    await predictor.close()
  })
})

describe('parity with the trainer', () => {
  const rows = 3000
  const features = rowsFor(ctr, rows)
  const own = { pctr: predictBoosted(ctr, features, rows), pcvr: predictBoosted(cvr, features, rows) }
  const parity = (said: Partial<Predictions>, bytes = file(), of = features) =>
    parityOf(bytes, { ...own, ...said }, of, () => undefined)

  it('is the largest difference of either prediction in any row', async () => {
    expect(await parity({})).toBeLessThanOrEqual(PARITY_TOLERANCE)
    for (const head of ['pctr', 'pcvr'] as const) {
      const other = own[head].slice()
      other[2500] = other[2500]! > 0.5 ? 0 : 1
      expect(await parity({ [head]: other })).toBeGreaterThan(0.49)
    }
  })

  it('is infinite for a file that cannot be loaded, or not be run for one of the rows', async () => {
    const shifted = { ...metadata().golden, pctr: metadata().golden.pctr.map((p) => p / 2) }
    expect(await parity({}, file({ golden: shifted }))).toBe(Number.MAX_VALUE)
    const broken = features.slice()
    broken[2500 * FEATURE_COUNT] = Number.NaN
    expect(await parity({}, file(), broken)).toBe(Number.MAX_VALUE)
  })
})

describe('loading a model', () => {
  it('refuses one of another feature set', async () => {
    await expect(loadPredictor(file({ featureSet: 'f0-00000000' }))).rejects.toThrow(ModelLoadError)
    await expect(loadPredictor(file({ featureNames: [...FEATURE_NAMES].reverse() }))).rejects.toThrow(
      ModelLoadError,
    )
  })

  it('refuses one that does not predict its golden rows', async () => {
    const shifted = metadata().golden.pctr.slice()
    shifted[40]! += 2e-5
    const wrong = { ...metadata().golden, pctr: shifted }
    await expect(loadPredictor(file({ golden: wrong }))).rejects.toThrow(/golden rows/)
  })

  it('refuses one without golden rows, cut short, or with a damaged graph', async () => {
    const bare = encodeOnnx({
      name: 'bare',
      inputs: [{ name: 'features', dims: ['rows', FEATURE_COUNT] }],
      outputs: [{ name: 'pctr', dims: ['rows'] }],
      nodes: [{ op: 'Sigmoid', inputs: ['features'], output: 'pctr' }],
      initializers: [],
      metadata: {},
    })
    await expect(loadPredictor(bare)).rejects.toThrow(ModelFormatError)
    await expect(loadPredictor(file().subarray(0, 2000))).rejects.toThrow(ModelFormatError)
    const broken = Buffer.from(file())
    broken.write('Xigmoid', broken.indexOf('Sigmoid'))
    await expect(loadPredictor(broken)).rejects.toThrow(ModelLoadError)
  })

  it('refuses one whose output is no probability', async () => {
    const nan = { ...ctr, logistic: { ...ctr.logistic, intercept: Number.NaN } }
    const bytes = encodeRankingModel({ ctr: nan, cvr, metadata: metadata() })
    await expect(loadPredictor(bytes)).rejects.toThrow(ModelLoadError)
  })

  it('answers a row that gives NaN with an error, not with a number', async () => {
    const predictor = await loadPredictor(file())
    const features = new Float32Array(FEATURE_COUNT).fill(Number.NaN)
    await expect(predictor.predict(features, 1)).rejects.toThrow(PredictionError)
    await predictor.close()
  })
})
