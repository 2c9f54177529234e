import { silentLogger } from '@endcap/platform/logging'
import type { Postgres } from '@endcap/platform/postgres'
import { startTestPostgres, type TestPostgres } from '@endcap/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../testing/marketplace.js'
import { CronExpressionError, createCronJob } from './cron-job.js'
import { createTrainingSchedule } from './schedules.js'

let database: TestPostgres
beforeAll(async () => {
  database = await startTestPostgres()
})
afterAll(() => database.stop())

const EVERY_SECOND = '* * * * * *'
const job = (run: (stopping: AbortSignal) => Promise<void>, name = 'job', postgres = database.postgres) =>
  createCronJob({ name, expression: EVERY_SECOND, run, postgres, logger: silentLogger() })

describe('a scheduled job', () => {
  it('runs again at its next time, also after a failure', async () => {
    let runs = 0
    const component = job(async () => {
      if (++runs === 1) throw new Error('the first run fails')
    })
    await component.start()
    await until(async () => runs >= 2, 'a second run')
    await component.stop()
  })

  it('never runs over itself, nor in two processes at a time', async () => {
    let running = 0
    let most = 0
    let runs = 0
    const release: (() => void)[] = []
    const long = async () => {
      most = Math.max(most, ++running)
      runs++
      await new Promise<void>((resolve) => release.push(resolve))
      running--
    }
    let refused = 0
    const counting: Postgres = {
      ...database.postgres,
      async withLeadership(name, work) {
        const led = { yes: false }
        const result = await database.postgres.withLeadership(name, (lost) => {
          led.yes = true
          return work(lost)
        })
        if (!led.yes) refused++
        return result
      },
    }
    const components = [job(long, 'long', counting), job(long, 'long', counting)]
    for (const component of components) await component.start()
    await until(async () => runs === 1, 'the first run')
    await until(async () => refused >= 2, 'two more of its times')
    expect({ runs, most }).toEqual({ runs: 1, most: 1 })
    release.pop()!()
    await until(async () => runs === 2, 'the next run')
    release.pop()!()
    const stopped = Promise.all(components.map((component) => component.stop()))
    await until(async () => {
      for (const done of release.splice(0)) done()
      return running === 0
    }, 'the last run ends')
    await stopped
    expect(most).toBe(1)
  })

  it('asks a run to end when it is stopped, and waits for it', async () => {
    let ended = false
    let started = false
    const component = job(async (stopping) => {
      started = true
      await new Promise((resolve) => stopping.addEventListener('abort', resolve))
      ended = true
    })
    await component.start()
    await until(async () => started, 'the run')
    await component.stop()
    expect(ended).toBe(true)
  })

  it('refuses an expression that is none, naming it', () => {
    const schedule = () =>
      createTrainingSchedule({
        postgres: database.postgres,
        logger: silentLogger(),
        expression: 'every day',
        train: async () => ({ version: '', status: '' }),
      })
    expect(schedule).toThrow(CronExpressionError)
    expect(schedule).toThrow(/"every day" of training/)
  })
})
