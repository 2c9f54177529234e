import { describe, expect, it } from 'vitest'
import { auc, calibration, expectedCalibrationError, logLoss, logLossOfRate, measure } from './metrics.js'

describe('log loss', () => {
  it('is the mean of −ln of what was given to what happened', () => {
    // (−ln 0.8 − ln 0.6) / 2
    expect(logLoss([0.8, 0.4], [1, 0])).toBeCloseTo(0.3669845875, 9)
    expect(logLossOfRate(0.25, [1, 0, 0, 0])).toBeCloseTo(0.5623351446, 9)
    expect(logLoss([], [])).toBeNull()
  })

  it('stays finite for a certainty that was wrong', () => {
    expect(logLoss([0], [1])).toBeCloseTo(-Math.log(1e-7), 9)
  })
})

describe('AUC', () => {
  it.each([
    ['a perfect order', [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1],
    ['a reversed order', [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0],
    ['all equal', [0.5, 0.5, 0.5], [1, 0, 1], 0.5],
    // Pairs: (.4,.1) 1, (.4,.4) ½, (.8,.1) 1, (.8,.4) 1 → 3.5 / 4
    ['one tie across classes', [0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1], 0.875],
    // sklearn's documented example
    ['a known example', [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75],
  ])('of %s', (_, predictions, labels, expected) => expect(auc(predictions, labels)).toBe(expected))

  it('has no meaning with one class', () => {
    expect(auc([0.1, 0.2], [1, 1])).toBeNull()
    expect(auc([0.1, 0.2], [0, 0])).toBeNull()
  })
  it('has no meaning where a prediction is no number', () => {
    expect(auc([Number.NaN, 0.1], [1, 0])).toBeNull()
    expect(measure([Number.NaN, 0.1], [1, 0], 0.5)).toMatchObject({ auc: null, logLoss: Number.NaN })
  })
})

describe('calibration', () => {
  it('is what was predicted over what happened', () => {
    expect(calibration([0.5, 0.25, 0.25], [1, 0, 1])).toBe(0.5)
    expect(calibration([0.5], [0])).toBeNull()
  })

  it('error is the mean gap of ten bins of equal count', () => {
    // 20 rows, two a bin: each bin predicts 0.5 for one positive and one negative.
    const even = Array.from({ length: 20 }, (_, row) => row % 2)
    expect(expectedCalibrationError(new Array(20).fill(0.5), even)).toBe(0)
    // Ten bins of one row: gaps 0.1 (nine times) and 0.9.
    const predictions = new Array(10).fill(0.1)
    expect(expectedCalibrationError(predictions, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1])).toBeCloseTo(0.18, 12)
  })
})

it('measures a slice with each position, against the base rate of the training slices', () => {
  const measured = measure([0.5, 0.5, 0.25, 0.25], [1, 0, 0, 1], 0.2, [1, 1, 2, 2])
  expect(measured).toMatchObject({ rows: 4, positives: 2, calibration: 0.75, auc: 0.5 })
  expect(measured.baseRateLogLoss).toBeCloseTo((-Math.log(0.2) - Math.log(0.8)) / 2, 12)
  // Log loss (ln 2 + ln 2 + ln 4/3 + ln 4) / 4 over ln 2.
  expect(measured.normalisedEntropy).toBeCloseTo((2 * Math.log(2) + Math.log(16 / 3)) / 4 / Math.log(2), 12)
  expect(measured.perPosition).toEqual([
    { position: 1, rows: 2, positives: 1, calibration: 1 },
    { position: 2, rows: 2, positives: 1, calibration: 0.5 },
  ])
  expect(measure([], [], 0.1)).toMatchObject({
    rows: 0,
    auc: null,
    logLoss: null,
    calibration: null,
    ece: null,
  })
})
