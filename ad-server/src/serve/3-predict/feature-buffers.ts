import { FEATURE_COUNT } from '@endcap/ranking'

const ROWS_AT_FIRST = 256
const KEPT = 16

/** Feature rows are large and short-lived: buffers go round instead of through the garbage collector. */
export function createFeatureBuffers() {
  const free: Float32Array[] = []
  return {
    take(rows: number): Float32Array {
      const size = rows * FEATURE_COUNT
      const buffer = free.pop()
      return buffer && buffer.length >= size
        ? buffer
        : new Float32Array(Math.max(size, ROWS_AT_FIRST * FEATURE_COUNT))
    },
    /** Only when nothing reads it any more. */
    giveBack(buffer: Float32Array): void {
      if (free.length < KEPT) free.push(buffer)
    },
  }
}

export type FeatureBuffers = ReturnType<typeof createFeatureBuffers>
