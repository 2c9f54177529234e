/**
 * What a rank request cannot cost less than: a bare fastify that reads the same request and prints the same answer, and a raw
 * onnxruntime run of the same batches. Nothing of Endcap runs here.
 */

import { FEATURE_COUNT } from '@endcap/ranking'
import { fastify } from 'fastify'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { answerCalls, cpuMicros } from './child.js'
import { BATCH_ROWS, type ModelKind, readBenchModel } from './model.js'

const { dir, model } = JSON.parse(process.argv[2]!) as { dir: string; model: ModelKind }
const { onnx, batches } = await readBenchModel(dir, model)
const session = await InferenceSession.create(onnx, {
  executionMode: 'sequential',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
})
const size = BATCH_ROWS * FEATURE_COUNT
const inputs = Array.from(
  { length: batches.length / size },
  (_, index) =>
    new Tensor('float32', batches.subarray(index * size, (index + 1) * size), [BATCH_ROWS, FEATURE_COUNT]),
)
const app = fastify()
let answer: unknown = {}
app.post('/echo', async () => answer)

answerCalls({
  listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
  cpuMicros,
  /** What the echo answers: an answer of the ad-server. */
  answerWith(body: unknown) {
    answer = body
  },
  /** Runs the model so many times, with the slates of one request after the other, as many at a time as the ad-server has requests. */
  async runModel({ runs, atOnce }: { runs: number; atOnce: number }) {
    let left = runs
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (left-- > 0) await session.run({ features: inputs[left % inputs.length]! })
      }),
    )
  },
  async close() {
    await app.close()
    await session.release()
  },
})
