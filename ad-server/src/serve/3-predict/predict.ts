import {
  computeFeatures,
  type ModelFault,
  type Predictions,
  type PredictorHost,
  type SlateContext,
  type StatsView,
  smoothedPredictions,
} from '@endcap/ranking'
import type { Candidate } from '../candidate.js'
import type { FeatureBuffers } from './feature-buffers.js'
import type { Slate } from './slate.js'

export interface PredictDeps {
  readonly host: PredictorHost
  readonly stats: () => StatsView
  readonly buffers: FeatureBuffers
}

export interface SlatePredictions extends Predictions {
  readonly modelVersion: string
  /** Why smoothed rates stand in for the model. */
  readonly degraded: ModelFault | undefined
  readonly features: Float32Array
  /** To be called when `features` is no longer read. */
  release(): void
}

/** What answers carry as model version while smoothed rates stand in for a model. */
const SMOOTHED_RATES = 'smoothed-rates'

/** Features of the whole slate, as training will read them. */
export function featuresOf(context: SlateContext, slate: Slate, deps: PredictDeps): Float32Array {
  const features = deps.buffers.take(slate.rows.length)
  computeFeatures(context, slate.rows, deps.stats(), features)
  return features
}

/** One batch for the whole slate. Without a usable model: smoothed historical rates, and the reason. */
export async function predict(
  context: SlateContext,
  slate: Slate,
  features: Float32Array,
  deps: PredictDeps,
): Promise<SlatePredictions> {
  const answer = await deps.host.predict(features, slate.rows.length)
  // A model that was too slow may still be reading its input: that buffer is left to the garbage collector.
  const release = (): void => {
    if (answer.ok || answer.reason !== 'model_slow') deps.buffers.giveBack(features)
  }
  if (answer.ok) {
    return {
      ...answer.predictions,
      modelVersion: answer.modelVersion,
      degraded: undefined,
      features,
      release,
    }
  }
  const { pctr, pcvr } = smoothedPredictions(context, slate.rows, deps.stats())
  return { pctr, pcvr, modelVersion: SMOOTHED_RATES, degraded: answer.reason, features, release }
}

/** By candidate: smoothed historical rates, to choose by whom the model is asked about. */
export function predictEarly(
  context: SlateContext,
  candidates: readonly Candidate[],
  { stats }: Pick<PredictDeps, 'stats'>,
): { readonly pctr: number; readonly pcvr: number }[] {
  const { pctr, pcvr } = smoothedPredictions(context, candidates, stats())
  return candidates.map((_, row) => ({ pctr: pctr[row]!, pcvr: pcvr[row]! }))
}

/** Gives each candidate the predictions of its listing. */
export function assignPredictions(candidates: readonly Candidate[], { pctr, pcvr }: Predictions): void {
  for (const candidate of candidates) {
    candidate.pctr = pctr[candidate.row]!
    candidate.pcvr = pcvr[candidate.row]!
  }
}
