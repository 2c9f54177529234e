import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { Postgres } from '@endcap/platform/postgres'
import { createTask, type ScheduledTask, validateDetailed } from 'node-cron'

export interface CronJobOptions {
  readonly name: string
  /** Five fields, or six with seconds first; UTC. */
  readonly expression: string
  /** Runs in the process that holds the job's leadership; `stopping` aborts when it is lost or the component stops. */
  readonly run: (stopping: AbortSignal) => Promise<void>
  readonly postgres: Postgres
  readonly logger: Logger
}

/** A schedule that is not a cron expression. */
export class CronExpressionError extends Error {
  override readonly name = 'CronExpressionError'
}

/**
 * Runs a job by a cron expression, in one process of all at a time, never over itself. A time that falls into a run is
 * skipped: the job is late, not doubled. A run that fails is logged and comes again at its next time.
 *
 * @throws CronExpressionError at once when the expression is none
 */
export function createCronJob({ name, expression, run, postgres, logger }: CronJobOptions): Component {
  const { valid, errors } = validateDetailed(expression)
  if (!valid) {
    const reasons = errors.map(({ field, message }) => `${field}: ${message}`).join('; ')
    throw new CronExpressionError(
      `the schedule "${expression}" of ${name} is not a cron expression (${reasons})`,
    )
  }
  const stopping = new AbortController()
  let running: Promise<void> | undefined
  let task: ScheduledTask | undefined

  async function runAsLeader(): Promise<void> {
    try {
      await postgres.withLeadership(name, (lost) => run(AbortSignal.any([stopping.signal, lost])))
    } catch (error) {
      if (!stopping.signal.aborted) logger.error({ err: error, job: name }, 'a scheduled job failed')
    }
  }

  return {
    name,
    async start() {
      task = createTask(
        expression,
        async () => {
          if (running) return
          running = runAsLeader()
          await running
          running = undefined
        },
        { timezone: 'UTC', suppressMissedWarning: true, unref: true },
      )
      await task.start()
    },
    async stop() {
      stopping.abort()
      await task?.destroy()
      await running
    },
  }
}
