import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lightgbmExampleIsHere, readLightgbmExample } from '../testing/lightgbm-example.js'
import { seededRandom } from '../testing/synthetic-market.js'
import { fitLogistic, predictLogistic } from './logistic.js'
import { auc, logLoss } from './metrics.js'
import type { LabelledRows } from './rows.js'

function drawn(rows: number, weights: readonly number[], intercept: number, seed: number): LabelledRows {
  const random = seededRandom(seed)
  const columns = weights.length
  const features = new Float32Array(rows * columns)
  const labels = new Uint8Array(rows)
  for (let row = 0; row < rows; row++) {
    let score = intercept
    for (let column = 0; column < columns; column++) {
      const value = (random() + random() + random() - 1.5) * 2
      features[row * columns + column] = value
      score += weights[column]! * Math.fround(value)
    }
    labels[row] = random() < 1 / (1 + Math.exp(-score)) ? 1 : 0
  }
  return { rows, columns, features, labels }
}

describe('logistic regression', () => {
  it('solves a case that can be solved by hand: two groups, their log-odds', () => {
    // x = 0: 1 of 4 clicked; x = 1: 3 of 4. Without penalty p(0) = 1/4 and p(1) = 3/4.
    const data = {
      rows: 8,
      columns: 1,
      features: Float32Array.of(0, 0, 0, 0, 1, 1, 1, 1),
      labels: Uint8Array.of(1, 0, 0, 0, 1, 1, 1, 0),
    }
    const model = fitLogistic(data, { l2: 1e-9 })
    expect(Array.from(predictLogistic(model, Float32Array.of(0, 1), 2))).toEqual([
      expect.closeTo(0.25, 6),
      expect.closeTo(0.75, 6),
    ])
    // Standardised: mean ½, deviation ½; the slope of the raw feature is 2 ln 3, halved by the scale.
    expect(model.weights[0]!).toBeCloseTo(Math.log(3), 5)
    expect(model.intercept).toBeCloseTo(0, 5)
  })

  it('finds the weights that drew the labels', () => {
    const model = fitLogistic(drawn(20_000, [1.5, -0.7, 0], -2, 1), { l2: 1 })
    const raw = Array.from(model.weights, (weight, column) => weight / model.scales[column]!)
    expect(raw[0]!).toBeCloseTo(1.5, 0.9)
    expect(raw[1]!).toBeCloseTo(-0.7, 0.9)
    expect(Math.abs(raw[2]!)).toBeLessThan(0.06)
  })

  it('meets the condition of the optimum: Σ w·(p − y)·z + λ·weight = 0, and predictions add up to the clicks', () => {
    const data = drawn(3000, [1, -1], -1, 2)
    const weights = Float32Array.from({ length: data.rows }, (_, row) => 1 + (row % 3))
    const model = fitLogistic({ ...data, weights }, { l2: 5 })
    const predictions = predictLogistic(model, data.features, data.rows)
    let residual = 0
    const slopes = [0, 0]
    for (let row = 0; row < data.rows; row++) {
      const error = weights[row]! * (predictions[row]! - data.labels[row]!)
      residual += error
      for (const column of [0, 1]) {
        const z = (data.features[row * 2 + column]! - model.means[column]!) / model.scales[column]!
        slopes[column]! += error * z
      }
    }
    expect(residual).toBeCloseTo(0, 1)
    for (const column of [0, 1]) expect(slopes[column]! + 5 * model.weights[column]!).toBeCloseTo(0, 1)
  })

  it('gives the same bits from the same rows, and the same answer from another start', () => {
    const data = drawn(2000, [0.5, 2, -1], -1, 3)
    const model = fitLogistic(data, { l2: 1 })
    expect(fitLogistic(data, { l2: 1 })).toEqual(model)
    const warm = fitLogistic(data, { l2: 1, from: fitLogistic(data, { l2: 100 }) })
    for (const [index, weight] of model.weights.entries()) expect(warm.weights[index]!).toBeCloseTo(weight, 4)
  })

  it('leaves constant columns without weight and holds collinear ones', () => {
    const one = drawn(1000, [1], 0, 4)
    const features = new Float32Array(4000)
    for (let row = 0; row < 1000; row++) {
      features.set([one.features[row]!, one.features[row]!, 7, one.features[row]! * -2], row * 4)
    }
    const model = fitLogistic({ ...one, columns: 4, features }, { l2: 0.1 })
    expect(Math.abs(model.weights[2]!)).toBeLessThan(1e-6)
    expect(model.weights[0]!).toBeCloseTo(model.weights[1]!, 3)
    expect(model.weights.every(Number.isFinite)).toBe(true)
  })

  it.each([0, 1])('gives the smoothed base rate when all labels are %d', (label) => {
    const data = { ...drawn(99, [1], 0, 5), labels: new Uint8Array(99).fill(label) }
    const [probability] = predictLogistic(fitLogistic(data, { l2: 1 }), Float32Array.of(3), 1)
    expect(probability!).toBeCloseTo(label === 1 ? 0.995 : 0.005, 6)
  })

  it('does not run away when a feature separates the classes', () => {
    const data = {
      rows: 100,
      columns: 1,
      features: Float32Array.from({ length: 100 }, (_, row) => row),
      labels: Uint8Array.from({ length: 100 }, (_, row) => (row < 50 ? 0 : 1)),
    }
    const model = fitLogistic(data, { l2: 0.01 })
    expect(Number.isFinite(model.weights[0]!)).toBe(true)
    const [low, high] = predictLogistic(model, Float32Array.of(0, 99), 2)
    expect(low!).toBeLessThan(0.01)
    expect(high!).toBeGreaterThan(0.99)
  })

  it('says nothing beyond what it saw: a value outside counts as the nearest seen one', () => {
    const model = fitLogistic(drawn(500, [2], 0, 6), { l2: 1 })
    const [most, beyond] = predictLogistic(model, Float32Array.of(model.largest[0]!, 3e38), 2)
    expect(beyond).toBe(most)
  })

  it('is finite for any rows', () => {
    const value = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
      fc.constant(0),
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(value, value, fc.boolean()), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(0.01, 1, 1000),
        (rows, l2) => {
          const data = {
            rows: rows.length,
            columns: 2,
            features: Float32Array.from(rows.flat()),
            labels: Uint8Array.from(rows, ([, , clicked]) => Number(clicked)),
          }
          const model = fitLogistic(data, { l2 })
          const predictions = predictLogistic(model, data.features, data.rows)
          expect(predictions.every((p) => p >= 0 && p <= 1)).toBe(true)
          // Never worse than knowing only the rate: the penalised optimum includes that model.
          const clicks = data.labels.reduce((sum, label) => sum + label, 0)
          if (clicks === 0 || clicks === data.rows) return
          const base = logLoss(new Array(data.rows).fill(clicks / data.rows), data.labels)!
          expect(logLoss(predictions, data.labels)!).toBeLessThanOrEqual(base + 1e-4)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('refuses to fit nothing, or without a penalty', () => {
    const none = { rows: 0, columns: 1, features: new Float32Array(0), labels: new Uint8Array(0) }
    expect(() => fitLogistic(none, { l2: 1 })).toThrow(RangeError)
    expect(() => fitLogistic(drawn(10, [1], 0, 1), { l2: 0 })).toThrow(RangeError)
  })
})

describe.skipIf(!lightgbmExampleIsHere)('on the LightGBM binary example', () => {
  it('ranks unseen rows clearly better than chance', () => {
    const model = fitLogistic(readLightgbmExample('train'), { l2: 1 })
    const test = readLightgbmExample('test')
    const predictions = predictLogistic(model, test.features, test.rows)
    expect(auc(predictions, test.labels)!).toBeGreaterThan(0.65)
    expect(logLoss(predictions, test.labels)!).toBeLessThan(0.66)
  })
})
