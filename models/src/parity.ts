import {
  FEATURE_COUNT,
  type LoadedPredictor,
  largestGap,
  loadPredictor,
  ModelLoadError,
  PredictionError,
  type Predictions,
} from '@endcap/ranking'

/**
 * The largest difference of any prediction between a file, loaded as serving loads it, and its trainer. Infinite when the file cannot be
 * loaded or run: the gate then says so.
 */
export async function parityOf(
  onnx: Uint8Array,
  own: Predictions,
  features: Float32Array,
  onShare: (share: number) => void,
): Promise<number> {
  let predictor: LoadedPredictor
  try {
    predictor = await loadPredictor(onnx)
  } catch (error) {
    if (error instanceof ModelLoadError) return Number.MAX_VALUE
    throw error
  }
  try {
    const { pctr, pcvr } = await predictRows(predictor, features, onShare)
    return Math.max(largestGap(pctr, own.pctr), largestGap(pcvr, own.pcvr))
  } catch (error) {
    if (error instanceof PredictionError) return Number.MAX_VALUE
    throw error
  } finally {
    await predictor.close()
  }
}

const ROWS_PER_RUN = 2048

/** In pieces, because a run holds up the event loop; copied, because onnxruntime does not read shared memory. */
export async function predictRows(
  predictor: LoadedPredictor,
  features: Float32Array,
  onShare: (share: number) => void,
): Promise<Predictions> {
  const rows = features.length / FEATURE_COUNT
  const all = { pctr: new Float32Array(rows), pcvr: new Float32Array(rows) }
  const piece = new Float32Array(ROWS_PER_RUN * FEATURE_COUNT)
  for (let row = 0; row < rows; row += ROWS_PER_RUN) {
    const size = Math.min(ROWS_PER_RUN, rows - row)
    piece.set(features.subarray(row * FEATURE_COUNT, (row + size) * FEATURE_COUNT))
    const { pctr, pcvr } = await predictor.predict(piece, size)
    all.pctr.set(pctr, row)
    all.pcvr.set(pcvr, row)
    onShare((row + size) / rows)
  }
  return all
}
