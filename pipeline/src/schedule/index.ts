export {
  createStatsSchedule,
  createTrainingSchedule,
} from './schedules.js'
