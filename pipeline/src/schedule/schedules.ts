import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { Postgres } from '@endcap/platform/postgres'
import { createCronJob } from './cron-job.js'

export interface TrainingScheduleDeps {
  readonly postgres: Postgres
  readonly logger: Logger
  /** When to train, as a cron expression in UTC. */
  readonly expression: string
  /** Trains, judges and, if it is better, promotes one model. */
  readonly train: () => Promise<{ readonly version: string; readonly status: string }>
}

/** Retrains the ranking model by the clock. */
export const createTrainingSchedule = ({
  postgres,
  logger,
  expression,
  train,
}: TrainingScheduleDeps): Component =>
  createCronJob({
    name: 'training',
    expression,
    postgres,
    logger,
    async run() {
      const { version, status } = await train()
      logger.info({ version, status }, 'a scheduled training ended')
    },
  })

export interface StatsScheduleDeps {
  readonly postgres: Postgres
  readonly logger: Logger
  /** Default: every minute. */
  readonly expression?: string
  /** Builds and stores the smoothed statistics that ranking reads. */
  readonly build: () => Promise<unknown>
}

/** Keeps the statistics snapshot fresh. */
export const createStatsSchedule = ({ postgres, logger, expression, build }: StatsScheduleDeps): Component =>
  createCronJob({
    name: 'statistics',
    expression: expression ?? '* * * * *',
    postgres,
    logger,
    async run() {
      await build()
    },
  })
