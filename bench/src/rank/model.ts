import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BoostedModel, encodeRankingModel, fitRanking, predictBoosted } from '@endcap/models'
import {
  computeFeatures,
  encodeStats,
  FEATURE_COUNT,
  FEATURE_NAMES,
  FEATURE_SET,
  GOLDEN_ROWS,
  slateContext,
} from '@endcap/ranking'
import { type BenchMarket, MATCHING_ADS, ORGANIC } from './market.js'
import { candidatesOf, visitMarket } from './visits.js'

export interface BenchModel {
  readonly onnx: Uint8Array
  /** Encoded statistics. */
  readonly stats: Uint8Array
  /** The feature rows of each request's slate, one request after the other: what a raw run of the model takes. */
  readonly batches: Float32Array
}

export const BENCH_MODEL_VERSION = 'mdl_bench'
/** Rows of a slate. */
export const BATCH_ROWS = ORGANIC + MATCHING_ADS
const BATCH_SIZE = BATCH_ROWS * FEATURE_COUNT
const INSTANT = '2026-01-01T00:00:00.000Z'

/** `trained`: what the trainer makes of the market's history. `logistic`: the same without its trees, as models are while little has happened. */
export type ModelKind = 'trained' | 'logistic'

export interface BenchModels extends Record<ModelKind, BenchModel> {
  /** How many each head of the trained one has. */
  readonly trees: { readonly ctr: number; readonly cvr: number }
}

/** What so many visits to a market teach. */
export function trainBenchModels(market: BenchMarket, visits: number): BenchModels {
  const history = visitMarket(market, visits)
  const { ctr, cvr, golden } = fitRanking(history.rows)
  const batches = new Float32Array(market.requests.length * BATCH_SIZE)
  const slateOf = candidatesOf(market)
  for (const [index, request] of market.requests.entries()) {
    const batch = batches.subarray(index * BATCH_SIZE, (index + 1) * BATCH_SIZE)
    computeFeatures(slateContext({ ...request, atMs: 0 }), slateOf(request), history.stats, batch)
  }
  const stats = encodeStats(history.stats.snapshot('bench'))
  const modelOf = (heads: { readonly ctr: BoostedModel; readonly cvr: BoostedModel }): BenchModel => ({
    stats,
    batches,
    onnx: encodeRankingModel({
      ...heads,
      metadata: {
        version: BENCH_MODEL_VERSION,
        featureSet: FEATURE_SET,
        featureNames: FEATURE_NAMES,
        priorCtr: ctr.baseRate,
        priorCvr: cvr.baseRate,
        trainedFrom: INSTANT,
        trainedTo: INSTANT,
        createdAt: INSTANT,
        golden: {
          features: golden.features,
          pctr: predictBoosted(heads.ctr, golden.features, GOLDEN_ROWS),
          pcvr: predictBoosted(heads.cvr, golden.features, GOLDEN_ROWS),
        },
      },
    }),
  })
  const withoutTrees = ({ logistic }: BoostedModel): BoostedModel => ({ logistic, trees: [] })
  return {
    trained: modelOf({ ctr: ctr.model, cvr: cvr.model }),
    logistic: modelOf({ ctr: withoutTrees(ctr.model), cvr: withoutTrees(cvr.model) }),
    trees: { ctr: ctr.model.trees.length, cvr: cvr.model.trees.length },
  }
}

/** For other processes: a model is trained once and measured in several. */
export async function writeBenchModel(dir: string, kind: ModelKind, model: BenchModel): Promise<void> {
  const { buffer, byteOffset, byteLength } = model.batches
  await writeFile(join(dir, `${kind}.onnx`), model.onnx)
  await writeFile(join(dir, `${kind}.stats`), model.stats)
  await writeFile(join(dir, `${kind}.batches`), new Uint8Array(buffer, byteOffset, byteLength))
}

export async function readBenchModel(dir: string, kind: ModelKind): Promise<BenchModel> {
  const read = async (part: string) => new Uint8Array(await readFile(join(dir, `${kind}.${part}`)))
  const batches = (await read('batches')).slice()
  return { onnx: await read('onnx'), stats: await read('stats'), batches: new Float32Array(batches.buffer) }
}
