import type { Logger } from 'pino'
import type { Component } from './component.js'

export interface ProcessOptions {
  readonly components: readonly Component[]
  readonly logger: Logger
  /** How long `stop` waits for all components together. Default 25 s, below the 30 s that Kubernetes grants. */
  readonly stopTimeoutMs?: number
  /** How long a component's `problem()` may take before it counts as a problem itself. Default 2 s. */
  readonly problemTimeoutMs?: number
}

export interface HostedProcess {
  /** Starts the components in order; when one fails, stops the started ones in reverse order and throws its error. */
  start(): Promise<void>
  /**
   * Stops in reverse order; repeated calls share one stop. A component that throws or does not end in time is logged
   * and left behind. True when all of them ended well.
   */
  stop(): Promise<boolean>
  /** Why each component is not ready; null for one that is. */
  readiness(): Promise<Record<string, string | null>>
  /** Resolves with the error of a component that can never work again; pending otherwise. */
  readonly failed: Promise<unknown>
}

type State = 'waiting' | 'starting' | 'started' | 'stopping'

const STATE_PROBLEMS: Readonly<Record<Exclude<State, 'started'>, string>> = {
  waiting: 'not started yet',
  starting: 'starting',
  stopping: 'stopping',
}

/** Hosts the components of one process. */
export function createProcess(options: ProcessOptions): HostedProcess {
  const { components, logger, stopTimeoutMs = 25_000, problemTimeoutMs = 2_000 } = options
  const states = new Map<Component, State>(components.map((component) => [component, 'waiting']))
  let stopping: Promise<boolean> | undefined
  let reportFailure: (error: unknown) => void = () => {}
  const failed = new Promise<unknown>((resolve) => {
    reportFailure = resolve
  })
  for (const component of components) {
    component.onFailure?.((error) => {
      logger.error({ err: error, component: component.name }, 'component failed for good')
      reportFailure(error)
    })
  }

  async function start(): Promise<void> {
    for (const component of components) {
      if (stopping) return
      states.set(component, 'starting')
      try {
        await component.start()
      } catch (error) {
        logger.debug({ component: component.name }, 'start failed')
        states.set(component, 'waiting')
        await stop()
        throw error
      }
      states.set(component, 'started')
      logger.debug({ component: component.name }, 'started')
    }
  }

  function stop(): Promise<boolean> {
    stopping ??= stopStarted()
    return stopping
  }

  async function stopStarted(): Promise<boolean> {
    const deadline = performance.now() + stopTimeoutMs
    // One that is still starting holds resources too, so it is stopped as well.
    const started = components.filter((component) => states.get(component) !== 'waiting').reverse()
    for (const component of started) states.set(component, 'stopping')
    let clean = true
    for (const component of started) {
      try {
        await within(component.stop(), Math.max(0, deadline - performance.now()), 'did not stop in time')
      } catch (error) {
        clean = false
        logger.error({ err: error, component: component.name }, 'component did not stop well')
      }
    }
    return clean
  }

  async function readiness(): Promise<Record<string, string | null>> {
    const reasons = await Promise.all(
      components.map(async (component) => [component.name, await problemOf(component)]),
    )
    return Object.fromEntries(reasons) as Record<string, string | null>
  }

  async function problemOf(component: Component): Promise<string | null> {
    const state = states.get(component)!
    if (state !== 'started') return STATE_PROBLEMS[state]
    try {
      const answer = component.problem?.()
      if (!(answer instanceof Promise)) return answer ?? null
      return (await within(answer, problemTimeoutMs, `did not answer within ${problemTimeoutMs} ms`)) ?? null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  return { start, stop, readiness, failed }
}

/** The promise's outcome, or an error with this message when it takes longer. */
async function within<T>(work: Promise<T>, timeoutMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), timeoutMs)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
