import { setTimeout as delay } from 'node:timers/promises'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'

export interface PeriodicJobOptions {
  readonly name: string
  /** Pause between the end of one run and the start of the next. */
  readonly everyMs: number
  /** `stopping` aborts when the component stops: long work should end early. */
  readonly run: (stopping: AbortSignal) => Promise<void>
  readonly logger: Logger
  /** Runs that must fail in a row before /readyz says so. Default 3. */
  readonly patience?: number
}

/** Runs a job at once and then again and again, never two at a time. A run that fails is logged; the next one is the retry. */
export function createPeriodicJob({
  name,
  everyMs,
  run,
  logger,
  patience = 3,
}: PeriodicJobOptions): Component {
  const stopping = new AbortController()
  let failures = 0
  let trouble = ''
  let loop: Promise<void> | undefined

  async function runOnce(): Promise<void> {
    try {
      await run(stopping.signal)
      failures = 0
    } catch (error) {
      if (stopping.signal.aborted) return
      failures++
      trouble = error instanceof Error ? error.message : String(error)
      logger.warn({ err: error, job: name, failures }, 'a periodic job failed; it runs again')
    }
  }

  return {
    name,
    async start() {
      loop = (async () => {
        while (!stopping.signal.aborted) {
          await runOnce()
          await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => {})
        }
      })()
    },
    async stop() {
      stopping.abort()
      await loop
    },
    problem() {
      return failures >= patience ? `${name} failed ${failures} times in a row: ${trouble}` : undefined
    },
  }
}
