import type { Clock } from '@endcap/contracts'
import { counterOf, gaugeOf, histogramOf, type Registry } from '@endcap/platform/metrics'
import type { Predictions, Predictor } from './types.js'

/** Why a request is answered from smoothed rates; goes into its `degraded`. */
const MODEL_FAULTS = ['model_unavailable', 'model_slow', 'model_invalid'] as const
export type ModelFault = (typeof MODEL_FAULTS)[number]

type HostPrediction =
  | { readonly ok: true; readonly modelVersion: string; readonly predictions: Predictions }
  | { readonly ok: false; readonly reason: ModelFault }

/** The live model of a process, exchangeable while it serves. */
export interface PredictorHost {
  /** Version of the live model; '' without one. */
  version(): string
  /** Puts another model (or none) live for all later predictions; the former is closed when its last prediction is done. */
  swap(next: Predictor | undefined): void
  /**
   * Predictions of the live model, or why there are none: `model_unavailable` (no model), `model_slow` (not within `timeoutMs`),
   * `model_invalid` (it failed, or gave no probabilities). `features` must not change until the promise settles.
   */
  predict(features: Float32Array, rows: number): Promise<HostPrediction>
  /** Takes the model away; resolves when it and its forerunners have ended their predictions and are closed. */
  close(): Promise<void>
}

export interface PredictorHostDeps {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly registry: Registry
  readonly logger: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}

const TOLD_AGAIN_AFTER_MS = 60_000

interface Held {
  readonly predictor: Predictor
  readonly inFlight: Set<Promise<unknown>>
}

/** Holds no model until `swap`. */
export function createPredictorHost(deps: PredictorHostDeps): PredictorHost {
  const outcomes = counterOf(deps.registry, {
    name: 'endcap_model_predictions_total',
    help: 'Batches asked of the live model, by outcome',
    labelNames: ['outcome'],
  })
  // Each series is looked up once: finding it by its label costs more than counting.
  const counts = {
    ok: outcomes.labels('ok'),
    model_unavailable: outcomes.labels('model_unavailable'),
    model_slow: outcomes.labels('model_slow'),
    model_invalid: outcomes.labels('model_invalid'),
  } satisfies Record<ModelFault | 'ok', unknown>
  const duration = histogramOf(deps.registry, {
    name: 'endcap_model_predict_duration_seconds',
    help: 'Time one batch of predictions took',
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25],
  })
  const live = gaugeOf(deps.registry, {
    name: 'endcap_model_live',
    help: '1 for the model version that serves',
    labelNames: ['version'],
  })
  let held: Held | undefined
  let lastOutcome: ModelFault | 'ok' | undefined
  const toldAt = new Map<ModelFault | 'ok', number>()

  const retiring = new Set<Promise<void>>()

  async function retire(former: Held): Promise<void> {
    await Promise.allSettled(former.inFlight)
    try {
      await former.predictor.close()
    } catch (error) {
      deps.logger.warn(
        { err: error, modelVersion: former.predictor.version },
        'a retired model did not close',
      )
    }
  }

  function swap(next: Predictor | undefined): void {
    const former = held
    if (former?.predictor === next) return
    held = next && { predictor: next, inFlight: new Set() }
    live.reset()
    if (next) live.set({ version: next.version }, 1)
    lastOutcome = undefined
    toldAt.clear()
    deps.logger.info({ from: former?.predictor.version, to: next?.version }, 'the live model changed')
    if (!former) return
    const retirement = retire(former).finally(() => retiring.delete(retirement))
    retiring.add(retirement)
  }

  /** A fault is told when it begins, not once a request; one that comes and goes, now and then. */
  function note(outcome: ModelFault | 'ok', error?: unknown): void {
    counts[outcome].inc()
    if (outcome === lastOutcome) return
    const now = deps.clock()
    const isNews = now - (toldAt.get(outcome) ?? Number.NEGATIVE_INFINITY) >= TOLD_AGAIN_AFTER_MS
    if (isNews && outcome !== 'ok') {
      const modelVersion = held?.predictor.version
      deps.logger.warn({ outcome, modelVersion, err: error }, 'predictions fall back to smoothed rates')
    } else if (isNews && lastOutcome !== undefined) {
      deps.logger.info({}, 'predictions come from the model again')
    }
    if (isNews) toldAt.set(outcome, now)
    lastOutcome = outcome
  }

  async function predict(features: Float32Array, rows: number): Promise<HostPrediction> {
    const current = held
    if (!current) {
      note('model_unavailable')
      return { ok: false, reason: 'model_unavailable' }
    }
    const startedAt = deps.clock()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), deps.timeoutMs)
    })
    const running = current.predictor.predict(features, rows).finally(() => current.inFlight.delete(running))
    current.inFlight.add(running)
    try {
      const predictions = await Promise.race([running, late])
      if (!predictions) {
        // Nobody waits for it any more but `retire`; a late failure changes nothing.
        running.catch(() => undefined)
        note('model_slow')
        return { ok: false, reason: 'model_slow' }
      }
      duration.observe((deps.clock() - startedAt) / 1000)
      note('ok')
      return { ok: true, modelVersion: current.predictor.version, predictions }
    } catch (error) {
      note('model_invalid', error)
      return { ok: false, reason: 'model_invalid' }
    } finally {
      clearTimeout(timer)
    }
  }

  async function close(): Promise<void> {
    if (held) swap(undefined)
    await Promise.all(retiring)
  }

  return { version: () => held?.predictor.version ?? '', swap, predict, close }
}
