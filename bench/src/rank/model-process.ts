/** Trains the models of the bench, in a process of its own: nothing of it is left in those that are measured. */
import { answerCalls } from './child.js'
import { createBenchMarket } from './market.js'
import { trainBenchModels, writeBenchModel } from './model.js'

const { dir, visits, ...size } = JSON.parse(process.argv[2]!) as {
  dir: string
  visits: number
  topics: number
  requests: number
}

answerCalls({
  async train() {
    const { trained, logistic, trees } = trainBenchModels(createBenchMarket(size), visits)
    await writeBenchModel(dir, 'trained', trained)
    await writeBenchModel(dir, 'logistic', logistic)
    return trees
  },
  close: async () => undefined,
})
