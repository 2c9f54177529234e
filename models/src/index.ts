export { type Dataset, type DatasetRange, readDataset } from './dataset/read-dataset.js'
export { splitByTime, type TimeSplit } from './dataset/split.js'
export { trainingRows } from './dataset/training-rows-query.js'
export type { Gate, GateCheck } from './gate.js'
export { encodeRankingModel } from './onnx/ranking-model.js'
export { buildStats, type StatsDeps, type StatsOutcome } from './stats-job.js'
export { type BoostedModel, predictBoosted } from './train/boosted-model.js'
export { type FitInput, type FitResult, fitRanking } from './train/fit-ranking.js'
export { type Metrics, measure, type PositionMetrics } from './train/metrics.js'
export type { LabelledRows } from './train/rows.js'
export {
  type TrainDeps,
  type TrainOptions,
  type TrainOutcome,
  type TrainProgress,
  trainModel,
} from './train-job.js'
