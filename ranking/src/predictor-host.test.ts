import { createMetrics } from '@endcap/platform/metrics'
import { describe, expect, it } from 'vitest'
import { ModelFormatError, readModelMetadata } from './model-metadata.js'
import { PredictionError } from './predictor.js'
import { createPredictorHost } from './predictor-host.js'
import type { Predictions, Predictor } from './types.js'

const ROW = new Float32Array(20)

function predictor(version: string, predict: () => Promise<Predictions> = async () => answer(0.5)) {
  const state = { closed: false }
  const made: Predictor = {
    version,
    featureSet: 'f',
    predict,
    close: async () => {
      state.closed = true
    },
  }
  return Object.assign(state, { made })
}

const answer = (probability: number): Predictions => ({
  pctr: Float32Array.of(probability),
  pcvr: Float32Array.of(probability),
})

function host(timeoutMs = 5_000, clock: () => number = Date.now) {
  const warnings: object[] = []
  const registry = createMetrics({ service: 'test' })
  const logger = { info: () => undefined, warn: (fields: object) => void warnings.push(fields) }
  return { host: createPredictorHost({ clock, timeoutMs, registry, logger }), registry, warnings }
}

async function outcomes(registry: ReturnType<typeof createMetrics>) {
  const metric = await registry.getSingleMetric('endcap_model_predictions_total')!.get()
  return Object.fromEntries(metric.values.map(({ labels, value }) => [labels.outcome, value]))
}

describe('the predictor host', () => {
  it('says that there is no model before the first one, and answers from each one that is swapped in', async () => {
    const { host: models, registry } = host()
    expect(await models.predict(ROW, 1)).toEqual({ ok: false, reason: 'model_unavailable' })
    expect(models.version()).toBe('')
    models.swap(predictor('a').made)
    expect(await models.predict(ROW, 1)).toMatchObject({ ok: true, modelVersion: 'a' })
    models.swap(predictor('b').made)
    expect(models.version()).toBe('b')
    expect(await models.predict(ROW, 1)).toMatchObject({ ok: true, modelVersion: 'b' })
    expect(await outcomes(registry)).toEqual({ model_unavailable: 1, ok: 2 })
    const live = await registry.getSingleMetric('endcap_model_live')!.get()
    expect(live.values.map(({ labels, value }) => [labels.version, value])).toEqual([['b', 1]])
  })

  it('closes a replaced model only when its last prediction is done', async () => {
    let finish: (predictions: Predictions) => void = () => undefined
    const slow = predictor('old', () => new Promise((resolve) => (finish = resolve)))
    const { host: models } = host()
    models.swap(slow.made)
    const running = models.predict(ROW, 1)
    models.swap(predictor('new').made)
    expect(await models.predict(ROW, 1)).toMatchObject({ ok: true, modelVersion: 'new' })
    expect(slow.closed).toBe(false)
    finish(answer(0.25))
    expect(await running).toMatchObject({ ok: true, modelVersion: 'old' })
    await models.close()
    expect(slow.closed).toBe(true)
    expect(await models.predict(ROW, 1)).toEqual({ ok: false, reason: 'model_unavailable' })
  })

  it('does not wait for a model longer than the limit', async () => {
    const never = predictor('slow', () => new Promise(() => undefined))
    const { host: models, registry } = host(5)
    models.swap(never.made)
    expect(await models.predict(ROW, 1)).toEqual({ ok: false, reason: 'model_slow' })
    expect(await outcomes(registry)).toEqual({ model_slow: 1 })
  })

  it('answers model_invalid when the model fails, tells it once, and recovers by itself', async () => {
    let broken = true
    const flaky = predictor('flaky', async () => {
      if (broken) throw new PredictionError('the model gave NaN as pctr')
      return answer(0.5)
    })
    const { host: models, warnings } = host()
    models.swap(flaky.made)
    expect(await models.predict(ROW, 1)).toEqual({ ok: false, reason: 'model_invalid' })
    expect(await models.predict(ROW, 1)).toEqual({ ok: false, reason: 'model_invalid' })
    expect(warnings).toHaveLength(1)
    broken = false
    expect(await models.predict(ROW, 1)).toMatchObject({ ok: true })
  })
})

describe('a fault that comes and goes', () => {
  it('is told once a minute, and counted every time', async () => {
    let now = 0
    let calls = 0
    const { host: models, registry, warnings } = host(5_000, () => now)
    models.swap(
      predictor('flapping', async () => {
        if (++calls % 2 === 1) throw new PredictionError('the model gave NaN as pctr')
        return answer(0.5)
      }).made,
    )
    for (let i = 0; i < 10; i++) await models.predict(ROW, 1)
    expect(warnings).toHaveLength(1)
    now += 60_000
    await models.predict(ROW, 1)
    expect(warnings).toHaveLength(2)
    expect(await outcomes(registry)).toEqual({ model_invalid: 6, ok: 5 })
  })
})

describe('model metadata', () => {
  it.each([
    [Buffer.alloc(0)],
    [Buffer.from('not a model at all')],
    [Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    [Buffer.from([0x72, 0x40])],
  ])('is refused when the bytes %j are no model', (bytes) => {
    expect(() => readModelMetadata(bytes)).toThrow(ModelFormatError)
  })
})
