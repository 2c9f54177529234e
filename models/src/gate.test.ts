import { describe, expect, it } from 'vitest'
import { type GateInput, judge } from './gate.js'

const good: GateInput = {
  trainingRows: 8000,
  trainingPositives: 400,
  metrics: {
    rows: 2000,
    positives: 100,
    auc: 0.7,
    logLoss: 0.18,
    baseRateLogLoss: 0.2,
    normalisedEntropy: 0.9,
    calibration: 1.05,
    ece: 0.01,
    perPosition: [],
  },
  clickVariance: 95,
  logisticLogLoss: 0.19,
  orders: { logLoss: 0.3, logisticLogLoss: 0.31 },
  liveLogLoss: 0.19,
  parityGap: 1e-7,
  parityTolerance: 1e-5,
}
const metrics = (over: Partial<GateInput['metrics']>) => ({ metrics: { ...good.metrics, ...over } })
const failed = (over: Partial<GateInput>) =>
  judge({ ...good, ...over })
    .checks.filter((check) => !check.ok)
    .map((check) => check.name)

describe('the gate', () => {
  it('lets a better model through, with rivals to beat or without', () => {
    expect(judge(good)).toMatchObject({ passed: true })
    const alone = judge({
      ...good,
      liveLogLoss: undefined,
      logisticLogLoss: undefined,
      orders: { logLoss: null, logisticLogLoss: undefined },
    })
    expect(alone.passed).toBe(true)
    const rivals = judge(good).checks.length - alone.checks.length
    expect(rivals).toBe(3)
  })

  it.each<[string, Partial<GateInput>]>([
    ['enough_training_rows', { trainingRows: 499 }],
    ['enough_training_clicks', { trainingPositives: 19 }],
    ['enough_test_rows', metrics({ rows: 99 })],
    ['enough_test_clicks', metrics({ positives: 2 })],
    [
      'better_than_base_rate',
      { ...metrics({ logLoss: 0.2, baseRateLogLoss: 0.2 }), logisticLogLoss: undefined, liveLogLoss: 0.21 },
    ],
    ['better_than_logistic', { logisticLogLoss: 0.18 }],
    ['orders_better_than_logistic', { orders: { logLoss: 0.31, logisticLogLoss: 0.31 } }],
    ['better_than_live', { liveLogLoss: 0.18 }],
    ['calibrated', metrics({ calibration: 1.26 })],
    ['calibrated', metrics({ calibration: 0.79 })],
    ['file_predicts_as_trainer', { parityGap: 2e-5 }],
    ['file_predicts_as_trainer', { parityGap: Number.NaN }],
  ])('is closed by %s alone', (name, over) => {
    expect(failed(over)).toEqual([name])
    expect(judge({ ...good, ...over }).passed).toBe(false)
  })

  it('does not take a number that is none for a good one', () => {
    expect(failed(metrics({ logLoss: Number.NaN }))).toEqual([
      'better_than_base_rate',
      'better_than_logistic',
      'better_than_live',
    ])
    expect(failed(metrics({ logLoss: null, baseRateLogLoss: null }))).toContain('better_than_base_rate')
  })

  it('allows for chance where clicks are few: 9 clicks, 6 expected', () => {
    const few = { ...metrics({ positives: 9, calibration: 6 / 9 }), clickVariance: 6 }
    expect(failed(few)).toEqual([])
    expect(failed({ ...few, ...metrics({ positives: 30, calibration: 6 / 9 }), clickVariance: 20 })).toEqual([
      'calibrated',
    ])
  })
})
