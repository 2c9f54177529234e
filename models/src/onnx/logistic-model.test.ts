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
  rankedListing,
  readModelMetadata,
  slateContext,
} from '@endcap/ranking'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../testing/synthetic-market.js'
import { fitLogistic, type LogisticModel, predictLogistic } from '../train/logistic.js'
import { logisticModelToOnnx } from './logistic-model.js'
import { encodeOnnx } from './onnx-graph.js'

function trained(seed: number): LogisticModel {
  const random = seededRandom(seed)
  const rows = 600
  const features = Float32Array.from(
    { length: rows * FEATURE_COUNT },
    (_, at) => (random() - 0.5) * (1 + (at % 7)),
  )
  const labels = Uint8Array.from({ length: rows }, (_, row) =>
    features[row * FEATURE_COUNT]! + random() > 0.6 ? 1 : 0,
  )
  return fitLogistic({ rows, columns: FEATURE_COUNT, features, labels }, { l2: 1 })
}

const EXTREMES = [0, -0, 1e-45, -1e-45, 1e30, -1e30, 3.4e38, -3.4e38, Infinity, -Infinity]

/** Rows inside and far outside of what training saw, and on its very edges. */
function rowsFor(model: LogisticModel, count: number): Float32Array {
  const random = seededRandom(count)
  const features = new Float32Array(count * FEATURE_COUNT)
  for (let at = 0; at < features.length; at++) {
    const column = at % FEATURE_COUNT
    const kind = random()
    if (kind < 0.6) features[at] = (random() - 0.5) * 8
    else if (kind < 0.7) features[at] = model.least[column]!
    else if (kind < 0.8) features[at] = model.largest[column]!
    else features[at] = EXTREMES[Math.floor(random() * EXTREMES.length)]!
  }
  return features
}

const ctr = trained(1)
const cvr = trained(2)
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
    pctr: predictLogistic(ctr, golden, GOLDEN_ROWS),
    pcvr: predictLogistic(cvr, golden, GOLDEN_ROWS),
  },
  ...over,
})

const file = (over: Partial<ModelMetadata> = {}) =>
  logisticModelToOnnx({ ctr: { model: ctr }, cvr: { model: cvr }, metadata: metadata(over) })

describe('a logistic model as ONNX', () => {
  it('predicts what its trainer predicts, to 1e-5, inside and far outside of the data', async () => {
    const predictor = await loadPredictor(file())
    const rows = 3000
    const features = rowsFor(ctr, rows)
    const { pctr, pcvr } = await predictor.predict(features, rows)
    expect(largestGap(pctr, predictLogistic(ctr, features, rows))).toBeLessThanOrEqual(PARITY_TOLERANCE)
    expect(largestGap(pcvr, predictLogistic(cvr, features, rows))).toBeLessThanOrEqual(PARITY_TOLERANCE)
    await predictor.close()
  })

  it('gives equal bytes for equal models, and its metadata comes back', () => {
    expect(file()).toEqual(file())
    expect(readModelMetadata(file())).toEqual(metadata())
  })

  it('applies Platt scaling to the score', async () => {
    const platt = { slope: 0.5, offset: -1 }
    const bytes = logisticModelToOnnx({
      ctr: { model: ctr, platt },
      cvr: { model: cvr },
      metadata: metadata(),
    })
    const session = await InferenceSession.create(bytes)
    const outputs = await session.run({
      features: new Tensor('float32', golden, [GOLDEN_ROWS, FEATURE_COUNT]),
    })
    const scaled = outputs.pctr!.data as Float32Array
    const plain = predictLogistic(ctr, golden, GOLDEN_ROWS)
    let compared = 0
    for (const [row, p] of plain.entries()) {
      // The score is read back from a float32 probability, which near 0 and 1 no longer tells it.
      if (p < 0.01 || p > 0.99) continue
      compared++
      expect(scaled[row]!).toBeCloseTo(1 / (1 + Math.exp(1 - 0.5 * Math.log(p / (1 - p)))), 5)
    }
    expect(compared).toBeGreaterThan(5)
    expect(outputs.pctr!.dims).toEqual([GOLDEN_ROWS])
    await session.release()
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
    const nan = { ...ctr, intercept: Number.NaN }
    const bytes = logisticModelToOnnx({ ctr: { model: nan }, cvr: { model: cvr }, metadata: metadata() })
    await expect(loadPredictor(bytes)).rejects.toThrow(ModelLoadError)
  })

  it('answers a row that gives NaN with an error, not with a number', async () => {
    const predictor = await loadPredictor(file())
    const features = new Float32Array(FEATURE_COUNT).fill(Number.NaN)
    await expect(predictor.predict(features, 1)).rejects.toThrow(PredictionError)
    await predictor.close()
  })
})
