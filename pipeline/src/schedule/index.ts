export { CronExpressionError } from './cron-job.js'
export {
  createStatsSchedule,
  createTrainingSchedule,
  type StatsScheduleDeps,
  type TrainingScheduleDeps,
} from './schedules.js'
