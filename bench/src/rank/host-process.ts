/** The whole of Endcap in one process, as `endcap start all` composes it on a fresh data directory. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdSource, systemClock } from '@endcap/contracts'
import { buildStats, trainModel } from '@endcap/models'
import { isIngested, waitUntilSettled } from '@endcap/pipeline'
import { createLogger } from '@endcap/platform/logging'
import { FEATURE_SET } from '@endcap/ranking'
import { insertModel, promoteModel } from '@endcap/storage/postgres'
import { loadConfig, startHost } from 'endcap'
import { answerCalls, cpuMicros } from './child.js'
import { createBenchMarket } from './market.js'
import { BENCH_MODEL_VERSION, trainBenchModels } from './model.js'

const size = JSON.parse(process.argv[2]!) as { topics: number; requests: number; visits: number }
const SETTLE_TIMEOUT_MS = 60_000

const dataDir = await mkdtemp(join(tmpdir(), 'endcap-bench-'))
const logger = createLogger({ level: 'warn', service: 'bench' })
const config = loadConfig(
  ['all'],
  {},
  { ENDCAP_DATA_DIR: dataDir, ENDCAP_PORT: '0', ENDCAP_LOG_LEVEL: 'warn' },
)
const host = await startHost({ config, logger })
const training = { ...host.ports, clock: systemClock, ids: createIdSource(), logger }

answerCalls({
  start: () => ({ url: host.url, key: host.operatorKey!.key }),
  cpuMicros,
  /** Puts a model live whatever the gate would say: what it predicts is not measured here. */
  async installModel() {
    const { postgres } = host.ports
    const { onnx } = trainBenchModels(createBenchMarket(size), size.visits).trained
    const version = BENCH_MODEL_VERSION
    const now = new Date(systemClock())
    await insertModel(
      postgres,
      { version, featureSet: FEATURE_SET, onnx, metrics: {}, gate: {}, trainedRows: 0n },
      now,
    )
    await postgres.transaction((tx) => promoteModel(tx, version, { by: 'bench', now, force: true }))
  },
  buildStats: () => buildStats(training).then(() => undefined),
  settle: () => waitUntilSettled(host.ports, SETTLE_TIMEOUT_MS),
  ingested: () => isIngested(host.ports.log),
  async train() {
    const { rows } = await trainModel(training, { promote: false, actor: 'bench' })
    return rows
  },
  async close() {
    await host.stop()
    await rm(dataDir, { recursive: true, force: true })
  },
})
