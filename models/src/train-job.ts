import type { Clock, IdSource } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { Postgres } from '@endcap/platform/postgres'
import {
  FEATURE_COUNT,
  FEATURE_NAMES,
  FEATURE_SET,
  GOLDEN_ROWS,
  type LoadedPredictor,
  loadPredictor,
  ModelFormatError,
  ModelLoadError,
  PARITY_TOLERANCE,
} from '@endcap/ranking'
import { insertModel, liveModel, liveModelVersion, promoteModel, rejectModel } from '@endcap/storage/postgres'
import { type Dataset, readDataset } from './dataset/read-dataset.js'
import { splitByTime, type TimeSplit } from './dataset/split.js'
import { type Gate, judge, LEAST_TRAINING_ROWS } from './gate.js'
import { encodeRankingModel } from './onnx/ranking-model.js'
import { parityOf, predictRows } from './parity.js'
import { predictBoosted } from './train/boosted-model.js'
import { fitInWorker } from './train/fit-in-worker.js'
import type { FitResult } from './train/fit-ranking.js'
import { logLoss, type Metrics, measure } from './train/metrics.js'

export interface TrainDeps {
  readonly clickhouse: Pick<ClickHouse, 'arrowStream'>
  readonly postgres: Postgres
  readonly clock: Clock
  readonly ids: IdSource
  readonly logger: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
  readonly onProgress?: (progress: TrainProgress) => void
}

export interface TrainProgress {
  readonly stage: 'read' | 'fit' | 'evaluate' | 'store'
  /** 0 … 1 within the stage; while reading, undefined: nobody knows how much will come. */
  readonly share: number | undefined
  readonly rows: number
}

export interface TrainOptions {
  /** Default: 60 days before `to`. */
  readonly from?: Date
  /** Exclusive. Default: now. */
  readonly to?: Date
  /** Put the model live when it passes the gate; otherwise it stays a candidate. */
  readonly promote: boolean
  /** Who asked: a key's id, or the name of a job. */
  readonly actor: string
  /** The newest so many rows are used. Default one million. */
  readonly maxRows?: number
}

export interface TrainOutcome {
  /** '' when there was too little to fit anything: then nothing is registered. */
  readonly version: string
  readonly status: 'live' | 'candidate' | 'rejected'
  readonly rows: number
  /** How many the head of clicks has, and that of orders; 0: a logistic regression foretells as well. */
  readonly trees: { readonly ctr: number; readonly cvr: number }
  /** Of clicks, on the test slice. */
  readonly metrics: Metrics
  readonly gate: Gate
}

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 60
const DEFAULT_MAX_ROWS = 1_000_000

/**
 * Trains the ranking model on what was served: ClickHouse → three slices by time → two logistic regressions with boosted trees (worker thread) → ONNX →
 * loaded as serving would → gate on the last slice → registry. Everything that was learned is registered, with its metrics and the gate's
 * comparisons; a model that fails the gate is registered as rejected.
 */
export async function trainModel(deps: TrainDeps, options: TrainOptions): Promise<TrainOutcome> {
  const progress = deps.onProgress ?? (() => undefined)
  const toMs = options.to?.getTime() ?? deps.clock()
  const fromMs = options.from?.getTime() ?? toMs - DEFAULT_DAYS * DAY_MS
  const dataset = await readDataset(
    deps.clickhouse,
    { fromMs, toMs, maxRows: options.maxRows ?? DEFAULT_MAX_ROWS },
    (rows) => progress({ stage: 'read', share: undefined, rows }),
  )
  const { rows } = dataset
  const split = splitByTime(dataset.occurredAtMs)
  if (split.trainEnd === 0 || split.validationEnd === split.trainEnd || split.end === split.validationEnd) {
    return tooLittle(rows)
  }
  const fit = await fitInWorker(
    {
      rows,
      columns: FEATURE_COUNT,
      features: dataset.features,
      clicked: dataset.clicked,
      ordered: dataset.ordered,
      positions: dataset.positions,
      trainEnd: split.trainEnd,
      validationEnd: split.validationEnd,
      goldenRows: GOLDEN_ROWS,
    },
    (share) => progress({ stage: 'fit', share, rows }),
  )
  const version = deps.ids('model')
  const onnx = toOnnx(version, fit, dataset, split, new Date(deps.clock()))
  const evaluation = await evaluate(deps, onnx, fit, dataset, split, (share) =>
    progress({ stage: 'evaluate', share, rows }),
  )
  const { gate } = evaluation
  progress({ stage: 'store', share: 0, rows })
  const status = await store(deps, options, {
    version,
    onnx,
    gate,
    rows,
    fit,
    comparedWith: evaluation.liveVersion,
  })
  progress({ stage: 'store', share: 1, rows })
  deps.logger.info({ modelVersion: version, status, rows, trees: treesOf(fit), gate }, 'a model was trained')
  return { version, status, rows, trees: treesOf(fit), metrics: fit.ctr.metrics, gate }
}

function tooLittle(rows: number): TrainOutcome {
  const check = { name: 'enough_training_rows', left: rows, right: LEAST_TRAINING_ROWS, ok: false }
  return {
    version: '',
    status: 'rejected',
    rows,
    trees: { ctr: 0, cvr: 0 },
    metrics: measure([], [], 0),
    gate: { passed: false, checks: [check] },
  }
}

const instant = (ms: number): string => new Date(ms).toISOString()

function toOnnx(version: string, fit: FitResult, dataset: Dataset, split: TimeSplit, now: Date): Uint8Array {
  return encodeRankingModel({
    ctr: fit.ctr.model,
    cvr: fit.cvr.model,
    metadata: {
      version,
      featureSet: FEATURE_SET,
      featureNames: FEATURE_NAMES,
      priorCtr: fit.ctr.baseRate,
      priorCvr: fit.cvr.baseRate,
      trainedFrom: instant(dataset.occurredAtMs[0]!),
      trainedTo: instant(dataset.occurredAtMs[split.validationEnd - 1]!),
      createdAt: now.toISOString(),
      golden: fit.golden,
    },
  })
}

const treesOf = ({ ctr, cvr }: FitResult): TrainOutcome['trees'] => ({
  ctr: ctr.model.trees.length,
  cvr: cvr.model.trees.length,
})

interface Evaluation {
  readonly gate: Gate
  readonly liveVersion: string | undefined
}

/** Compares the file, loaded as serving loads it, with its trainer, the base rate and the live model, all on the test slice. */
async function evaluate(
  deps: TrainDeps,
  onnx: Uint8Array,
  fit: FitResult,
  dataset: Dataset,
  split: TimeSplit,
  onShare: (share: number) => void,
): Promise<Evaluation> {
  const { validationEnd, end } = split
  const features = dataset.features.subarray(validationEnd * FEATURE_COUNT, end * FEATURE_COUNT)
  const labels = dataset.clicked.subarray(validationEnd, end)
  const own = {
    pctr: predictBoosted(fit.ctr.model, features, labels.length),
    pcvr: predictBoosted(fit.cvr.model, features, labels.length),
  }
  const parityGap = await parityOf(onnx, own, features, (share) => onShare(share / 2))
  const live = await liveModel(deps.postgres)
  const predictor = live && (await loadLive(deps, live))
  let liveLogLoss: number | undefined
  if (predictor) {
    try {
      const { pctr } = await predictRows(predictor, features, (share) => onShare(0.5 + share / 2))
      liveLogLoss = logLoss(pctr, labels) ?? undefined
    } finally {
      await predictor.close()
    }
  }
  let clickVariance = 0
  for (const probability of own.pctr) clickVariance += probability * (1 - probability)
  let trainingPositives = 0
  for (const label of dataset.clicked.subarray(0, validationEnd)) trainingPositives += label
  const gate = judge({
    trainingRows: validationEnd,
    trainingPositives,
    metrics: fit.ctr.metrics,
    clickVariance,
    logisticLogLoss: fit.ctr.logisticLogLoss,
    orders: { logLoss: fit.cvr.metrics.logLoss, logisticLogLoss: fit.cvr.logisticLogLoss },
    liveLogLoss,
    parityGap,
    parityTolerance: PARITY_TOLERANCE,
  })
  return { gate, liveVersion: live?.version }
}

/** A live model of another feature set cannot serve either (the ad-server refuses it), so it is no rival. */
async function loadLive(
  deps: TrainDeps,
  live: { readonly version: string; readonly onnx: Uint8Array },
): Promise<LoadedPredictor | undefined> {
  try {
    return await loadPredictor(live.onnx)
  } catch (error) {
    if (!(error instanceof ModelLoadError || error instanceof ModelFormatError)) throw error
    deps.logger.warn({ err: error, modelVersion: live.version }, 'the live model cannot be compared with')
    return undefined
  }
}

interface Trained {
  readonly version: string
  readonly onnx: Uint8Array
  readonly gate: Gate
  readonly rows: number
  readonly fit: FitResult
  readonly comparedWith: string | undefined
}

async function store(
  deps: TrainDeps,
  options: TrainOptions,
  trained: Trained,
): Promise<TrainOutcome['status']> {
  const { version, onnx, gate, rows, fit } = trained
  const now = new Date(deps.clock())
  return deps.postgres.transaction(async (tx) => {
    await insertModel(
      tx,
      {
        version,
        featureSet: FEATURE_SET,
        onnx,
        metrics: {
          ...fit.ctr.metrics,
          cvr: fit.cvr.metrics,
          l2: { ctr: fit.ctr.l2, cvr: fit.cvr.l2 },
          trees: treesOf(fit),
        },
        gate: { ...gate },
        trainedRows: BigInt(rows),
      },
      now,
    )
    if (!gate.passed) {
      await rejectModel(tx, version)
      return 'rejected'
    }
    // Another training may have gone live meanwhile: this model was not compared with that one.
    if (!options.promote || (await liveModelVersion(tx)) !== trained.comparedWith) return 'candidate'
    await promoteModel(tx, version, { by: options.actor, now })
    return 'live'
  })
}
