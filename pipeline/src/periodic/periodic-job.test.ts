import { silentLogger } from '@endcap/platform/logging'
import { describe, expect, it } from 'vitest'
import { until } from '../testing/marketplace.js'
import { createPeriodicJob } from './periodic-job.js'

const job = (run: (stopping: AbortSignal) => Promise<void>) =>
  createPeriodicJob({ name: 'job', everyMs: 1, run, logger: silentLogger(), patience: 2 })

describe('a periodic job', () => {
  it('says what is wrong after failing twice in a row, and recovers by itself', async () => {
    let broken = true
    const component = job(async () => {
      if (broken) throw new Error('nothing answers')
    })
    await component.start()
    await until(async () => (await component.problem?.()) !== undefined, 'it says so')
    expect(await component.problem?.()).toMatch(/job failed \d+ times in a row: nothing answers/)
    broken = false
    await until(async () => (await component.problem?.()) === undefined, 'it recovers')
    await component.stop()
  })

  it('waits for the run in hand when it stops, and runs no more', async () => {
    let runs = 0
    let ended = 0
    const component = job(async (stopping) => {
      runs++
      if (!stopping.aborted) await new Promise((resolve) => stopping.addEventListener('abort', resolve))
      ended++
    })
    await component.start()
    await until(async () => runs === 1, 'the run')
    await component.stop()
    expect({ runs, ended }).toEqual({ runs: 1, ended: 1 })
  })
})
