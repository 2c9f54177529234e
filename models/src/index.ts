export { encodeRankingModel } from './onnx/ranking-model.js'
export { buildStats } from './stats-job.js'
export { type BoostedModel, predictBoosted } from './train/boosted-model.js'
export { type FitInput, fitRanking } from './train/fit-ranking.js'
export { measure } from './train/metrics.js'
export {
  type TrainOutcome,
  type TrainProgress,
  trainModel,
} from './train-job.js'
