export { countAgain, countedWrong, countPeriod, forgetPeriod, ROLLUPS, type Rollup } from './count-rollup.js'
export { VIEWS, type View } from './views.js'
