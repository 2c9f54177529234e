/** The ad-server under test, in a process of its own. */
import { STEPS } from '@endcap/ad-server'
import { answerCalls, cpuMicros } from './child.js'
import { createBenchMarket } from './market.js'
import { type ModelKind, readBenchModel } from './model.js'
import { startServing } from './serving.js'

const { timed, model, dir, ...size } = JSON.parse(process.argv[2]!) as {
  topics: number
  requests: number
  timed: boolean
  /** Where the models are, and which of them. */
  dir: string
  model: ModelKind
}
const market = createBenchMarket(size)
const nanoseconds = new Map<string, number>()
const serving = await startServing(
  market,
  await readBenchModel(dir, model),
  timed ? (step, took) => nanoseconds.set(step, (nanoseconds.get(step) ?? 0) + took) : undefined,
)

answerCalls({
  listen: () => serving.app.listen({ host: '127.0.0.1', port: 0 }),
  cpuMicros,
  /** Microseconds by step since the last call. */
  stepMicros() {
    const micros = Object.fromEntries(STEPS.map((step) => [step, (nanoseconds.get(step) ?? 0) / 1000]))
    nanoseconds.clear()
    return micros
  },
  close: () => serving.close(),
})
