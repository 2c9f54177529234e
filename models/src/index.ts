export { type Dataset, type DatasetRange, readDataset } from './dataset/read-dataset.js'
export { splitByTime, type TimeSplit } from './dataset/split.js'
export { trainingRows } from './dataset/training-rows-query.js'
export type { Gate, GateCheck } from './gate.js'
export { type LogisticHead, logisticModelToOnnx, type Platt } from './onnx/logistic-model.js'
export type { GraphNode, Initializer } from './onnx/onnx-graph.js'
export { encodeRankingModel, LAST_AXIS, type ModelHead } from './onnx/ranking-model.js'
export { buildStats, type StatsDeps, type StatsOutcome } from './stats-job.js'
export { fitLogistic, type LogisticModel, predictLogistic } from './train/logistic.js'
export { type Metrics, measure, type PositionMetrics } from './train/metrics.js'
export type { LabelledRows } from './train/rows.js'
export {
  type TrainDeps,
  type TrainOptions,
  type TrainOutcome,
  type TrainProgress,
  trainModel,
} from './train-job.js'
