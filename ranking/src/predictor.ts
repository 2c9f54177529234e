import { InferenceSession, Tensor } from 'onnxruntime-node'
import { FEATURE_COUNT, FEATURE_NAMES, FEATURE_SET } from './features.js'
import { GOLDEN_ROWS, type ModelMetadata, readModelMetadata } from './model-metadata.js'
import { createSharedRuns } from './shared-runs.js'
import type { Predictions, Predictor } from './types.js'

/** A model file cannot be served: damaged, of another feature set, or it does not predict what its trainer predicted. */
export class ModelLoadError extends Error {
  override readonly name = 'ModelLoadError'
}

/** A run failed or gave something that is no probability; the caller falls back to smoothed rates. */
export class PredictionError extends Error {
  override readonly name = 'PredictionError'
}

/** How far a prediction may be from the trainer's own. */
export const PARITY_TOLERANCE = 1e-5

export interface LoadedPredictor extends Predictor {
  readonly metadata: ModelMetadata
}

/**
 * Loads a model for serving: one thread (a second one makes the slowest requests slower), its 64 golden rows predicted again,
 * warmed up at the size of a usual slate.
 * @throws ModelLoadError, ModelFormatError
 */
export async function loadPredictor(onnx: Uint8Array): Promise<LoadedPredictor> {
  const metadata = readModelMetadata(onnx)
  if (metadata.featureSet !== FEATURE_SET || metadata.featureNames.join() !== FEATURE_NAMES.join()) {
    throw new ModelLoadError(
      `model ${metadata.version} was trained on features ${metadata.featureSet}; here they are ${FEATURE_SET}`,
    )
  }
  const session = await openSession(onnx, metadata.version)
  const runTogether = createSharedRuns(async (features, rows) => {
    const input = features.subarray(0, rows * FEATURE_COUNT)
    const outputs = await run(session, new Tensor('float32', input, [rows, FEATURE_COUNT]))
    return { pctr: columnOf(outputs, 'pctr', rows), pcvr: columnOf(outputs, 'pcvr', rows) }
  })
  const predict = async (features: Float32Array, rows: number): Promise<Predictions> => {
    if (rows === 0) return { pctr: new Float32Array(0), pcvr: new Float32Array(0) }
    if (features.length < rows * FEATURE_COUNT)
      throw new RangeError('fewer features than rows × FEATURE_COUNT')
    const predictions = await runTogether(features, rows)
    assertProbabilities(predictions.pctr, 'pctr')
    assertProbabilities(predictions.pcvr, 'pcvr')
    return predictions
  }
  try {
    await assertGolden(metadata, predict)
    await warmUp(metadata, predict)
  } catch (error) {
    await session.release()
    if (error instanceof PredictionError)
      throw new ModelLoadError(`model ${metadata.version}: ${error.message}`)
    throw error
  }
  return {
    version: metadata.version,
    featureSet: metadata.featureSet,
    metadata,
    predict,
    close: () => session.release(),
  }
}

async function openSession(onnx: Uint8Array, version: string): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(onnx, {
      executionMode: 'sequential',
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    })
  } catch (error) {
    throw new ModelLoadError(`model ${version} cannot be loaded: ${messageOf(error)}`)
  }
}

async function run(session: InferenceSession, features: Tensor): Promise<InferenceSession.ReturnType> {
  try {
    return await session.run({ features })
  } catch (error) {
    throw new PredictionError(`the model failed: ${messageOf(error)}`)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function columnOf(outputs: InferenceSession.ReturnType, name: 'pctr' | 'pcvr', rows: number): Float32Array {
  const data = outputs[name]?.data
  if (!(data instanceof Float32Array) || data.length !== rows) {
    throw new PredictionError(`the model did not give ${rows} values of ${name}`)
  }
  return data
}

function assertProbabilities(values: Float32Array, name: string): void {
  for (let row = 0; row < values.length; row++) {
    const value = values[row]!
    // Written so that NaN fails too.
    if (!(value >= 0 && value <= 1)) throw new PredictionError(`the model gave ${value} as ${name}`)
  }
}

type Predict = Predictor['predict']

async function assertGolden(metadata: ModelMetadata, predict: Predict): Promise<void> {
  const { golden } = metadata
  const again = await predict(golden.features, GOLDEN_ROWS)
  const gap = Math.max(largestGap(again.pctr, golden.pctr), largestGap(again.pcvr, golden.pcvr))
  if (!(gap <= PARITY_TOLERANCE)) {
    throw new ModelLoadError(
      `model ${metadata.version} predicts its golden rows ${gap} away from its trainer; at most ${PARITY_TOLERANCE} is allowed`,
    )
  }
}

/** Largest absolute difference; NaN when a value is NaN. */
export function largestGap(left: Float32Array, right: Float32Array): number {
  let gap = 0
  for (let index = 0; index < left.length; index++)
    gap = Math.max(gap, Math.abs(left[index]! - right[index]!))
  return gap
}

const WARM_UP_ROWS = 128
const WARM_UP_RUNS = 8

async function warmUp(metadata: ModelMetadata, predict: Predict): Promise<void> {
  const rows = new Float32Array(WARM_UP_ROWS * FEATURE_COUNT)
  for (let at = 0; at < rows.length; at += metadata.golden.features.length)
    rows.set(metadata.golden.features, at)
  for (let time = 0; time < WARM_UP_RUNS; time++) await predict(rows, WARM_UP_ROWS)
}
