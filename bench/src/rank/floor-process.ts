/**
 * What a rank request cannot cost less than: a bare fastify that reads the same request and prints the same answer, and a raw
 * onnxruntime run of the same batch. Nothing of Endcap runs here but the making of the model.
 */
import { fastify } from 'fastify'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { answerCalls, cpuMicros } from './child.js'
import { createBenchMarket } from './market.js'
import { createBenchModel, type ModelKind } from './model.js'

const { model, ...size } = JSON.parse(process.argv[2]!) as {
  topics: number
  requests: number
  model: ModelKind
}
const { onnx, batch, batchRows } = createBenchModel(createBenchMarket(size), model)
const session = await InferenceSession.create(onnx, {
  executionMode: 'sequential',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
})
const features = new Tensor('float32', batch, [batchRows, batch.length / batchRows])
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
  /** Runs the model so many times, as many at a time as the ad-server has requests. */
  async runModel({ runs, atOnce }: { runs: number; atOnce: number }) {
    let left = runs
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (left-- > 0) await session.run({ features })
      }),
    )
  },
  async close() {
    await app.close()
    await session.release()
  },
})
