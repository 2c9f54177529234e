import { FEATURE_COUNT } from './features.js'
import type { Predictions, Predictor } from './types.js'

interface Asked {
  readonly features: Float32Array
  readonly rows: number
  readonly resolve: (predictions: Predictions) => void
  readonly reject: (error: unknown) => void
}

/** A run that is much larger than this gains nothing from being larger still, and keeps the first of its slates waiting. */
const MOST_ROWS = 2048
const BUFFERS_KEPT = 2

/**
 * Predictions of all slates that are asked for within one turn of the event loop come from one run of the model: a run costs the runtime
 * far more than its rows do. Each slate gets its own rows back; a run that fails fails for all of its slates.
 */
export function createSharedRuns(run: Predictor['predict']): Predictor['predict'] {
  let waiting: Asked[] = []
  const buffers: Float32Array[] = []

  function start(): void {
    const asked = waiting
    waiting = []
    for (let from = 0; from < asked.length; ) {
      let rows = asked[from]!.rows
      let to = from + 1
      while (to < asked.length && rows + asked[to]!.rows <= MOST_ROWS) rows += asked[to++]!.rows
      if (to - from === 1) {
        const { features, resolve, reject } = asked[from]!
        run(features, rows).then(resolve, reject)
      } else void runTogether(asked.slice(from, to), rows)
      from = to
    }
  }

  async function runTogether(slates: readonly Asked[], rows: number): Promise<void> {
    const buffer = buffers.pop() ?? new Float32Array(MOST_ROWS * FEATURE_COUNT)
    let at = 0
    for (const slate of slates) {
      buffer.set(slate.features.subarray(0, slate.rows * FEATURE_COUNT), at * FEATURE_COUNT)
      at += slate.rows
    }
    try {
      const { pctr, pcvr } = await run(buffer, rows)
      at = 0
      for (const slate of slates) {
        const to = at + slate.rows
        slate.resolve({ pctr: pctr.subarray(at, to), pcvr: pcvr.subarray(at, to) })
        at = to
      }
    } catch (error) {
      for (const { reject } of slates) reject(error)
    } finally {
      if (buffers.length < BUFFERS_KEPT) buffers.push(buffer)
    }
  }

  return (features, rows) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(start)
      waiting.push({ features, rows, resolve, reject })
    })
}
