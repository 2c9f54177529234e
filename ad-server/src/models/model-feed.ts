import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { Postgres } from '@endcap/platform/postgres'
import { decodeStats, emptyStats, loadPredictor, type PredictorHost, type StatsView } from '@endcap/ranking'
import { getSnapshot, latestSnapshotVersion, liveModel, liveModelVersion } from '@endcap/storage/postgres'

export interface ModelFeedDeps {
  /** undefined: only the copies on disk are used. */
  readonly postgres: Postgres | undefined
  readonly host: PredictorHost
  /** Where the last good model and statistics are kept. */
  readonly dir: string
  readonly logger: Logger
  /** Default 2 s. */
  readonly pollMs?: number
}

export interface ModelFeed extends Component {
  stats(): StatsView
  /** Looks for a new model and new statistics now. */
  refresh(): Promise<void>
}

const STATS_KIND = 'stats'

/**
 * Brings the live model and the newest statistics from the registry into serving, without a restart, and keeps the last good ones on
 * disk: a process that starts while Postgres is away serves with those. A model that cannot be loaded changes nothing.
 */
export function createModelFeed(deps: ModelFeedDeps): ModelFeed {
  const { postgres, host, logger } = deps
  const pollMs = deps.pollMs ?? 2_000
  const modelPath = join(deps.dir, 'live.onnx')
  const statsPath = join(deps.dir, 'stats.bin')
  let stats: StatsView = emptyStats
  let statsVersion: bigint | undefined
  let liveVersion: string | undefined
  /** A version that could not be loaded: tried once, told once. */
  let refused: string | undefined
  let failing = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let working: Promise<void> | undefined

  async function loadFromDisk(): Promise<void> {
    const [onnx, statsBytes] = await Promise.all([readIfThere(modelPath), readIfThere(statsPath)])
    if (onnx) {
      try {
        const predictor = await loadPredictor(onnx)
        host.swap(predictor)
        liveVersion = predictor.version
      } catch (error) {
        logger.warn({ err: error }, 'the copy of the model on disk cannot be used')
      }
    }
    if (statsBytes) {
      try {
        stats = decodeStats(statsBytes)
      } catch (error) {
        logger.warn({ err: error }, 'the copy of the statistics on disk cannot be used')
      }
    }
  }

  async function refreshModel(from: Postgres): Promise<void> {
    const version = await liveModelVersion(from)
    if (version === liveVersion || (version !== undefined && version === refused)) return
    if (version === undefined) {
      host.swap(undefined)
      liveVersion = undefined
      await rm(modelPath, { force: true })
      return
    }
    const model = await liveModel(from)
    if (!model) return
    try {
      host.swap(await loadPredictor(model.onnx))
    } catch (error) {
      refused = model.version
      logger.error(
        { err: error, modelVersion: model.version },
        'the live model cannot be loaded; the former one stays',
      )
      return
    }
    liveVersion = model.version
    refused = undefined
    await writeWhole(modelPath, model.onnx)
  }

  async function refreshStats(from: Postgres): Promise<void> {
    const version = await latestSnapshotVersion(from, STATS_KIND)
    if (version === undefined || version === statsVersion) return
    const snapshot = await getSnapshot(from, STATS_KIND, version)
    if (!snapshot) return
    statsVersion = version
    try {
      stats = decodeStats(snapshot.content)
    } catch (error) {
      logger.error(
        { err: error, version: version.toString() },
        'statistics cannot be read; the former ones stay',
      )
      return
    }
    await writeWhole(statsPath, snapshot.content)
  }

  async function work(): Promise<void> {
    if (!postgres) return
    try {
      await refreshModel(postgres)
      await refreshStats(postgres)
      if (failing) logger.info('the model registry can be read again')
      failing = false
    } catch (error) {
      if (!failing)
        logger.warn({ err: error }, 'the model registry cannot be read; what is loaded goes on serving')
      failing = true
    }
  }

  function refresh(): Promise<void> {
    working ??= work().finally(() => {
      working = undefined
    })
    return working
  }

  function schedule(): void {
    if (stopped || !postgres) return
    timer = setTimeout(() => {
      refresh().finally(schedule)
    }, pollMs)
    timer.unref()
  }

  return {
    name: 'models',
    async start() {
      await mkdir(deps.dir, { recursive: true })
      await loadFromDisk()
      await refresh()
      schedule()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await working
      await host.close()
    },
    stats: () => stats,
    refresh,
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Beside the old file, then over it: a crash leaves one or the other, whole. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.draft`
  const file = await open(draft, 'w')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}
