/** Training rows in columns of their own: row-major float32 features with one label, 0 or 1, and optional weights. */
export interface LabelledRows {
  readonly rows: number
  readonly columns: number
  readonly features: Float32Array
  readonly labels: Uint8Array
  /** One a row, ≥ 0; all 1 when absent. */
  readonly weights?: Float32Array
}

/** Rows [from, to), without copying. */
export const sliceRows = (data: LabelledRows, from: number, to: number): LabelledRows => ({
  rows: to - from,
  columns: data.columns,
  features: data.features.subarray(from * data.columns, to * data.columns),
  labels: data.labels.subarray(from, to),
  ...(data.weights && { weights: data.weights.subarray(from, to) }),
})
